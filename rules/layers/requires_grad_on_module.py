from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._modules import is_module


class RequiresGradOnModule(Rule):
    """`requires_grad` is set on a module, which freezes nothing

    ## What it does
    Finds `module.requires_grad = …` on an MLX module.

    ## PyTorch and MLX
    PyTorch freezes with `requires_grad`. MLX has no such attribute: the assignment stores a flag that nobody reads, and
    training goes on for all parameters. `freeze()` and `unfreeze()` say what is trained.

    ## Example
    ```python
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    layer.requires_grad = False
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    layer.freeze()
    ```

    ## Fix safety
    The fix calls `freeze()` or `unfreeze()`, which changes what is trained; it is unsafe.

    ## References
    - [Module.freeze](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.freeze.html)
    """

    code = "MLX312"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`requires_grad` on the module `{module}` has no effect: its parameters are trained as before"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not (isinstance(target, cst.Attribute) and target.attr.value == "requires_grad") or not is_module(
            context.value(target.value)
        ):
            return
        context.report(
            self, node, because=[target.value], fix=_frozen(node, target, context), module=context.brief(target.value)
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        flagged, frozen = nn.Linear(2, 2), nn.Linear(2, 2)
        flagged.requires_grad = False
        frozen.freeze()
        return Evidence(
            shown("weight" in flagged.trainable_parameters(), "the weight is still trainable"),
            shown(frozen.trainable_parameters() == {}, "freeze() leaves nothing to train"),
        )


def _frozen(node: cst.Assign, target: cst.Attribute, context: Context) -> NodeFix | None:
    wanted = constant(context.value(node.value), bool)
    if wanted is None or len(node.targets) > 1 or isinstance(context.value(target.value), Array):
        return None
    method = "unfreeze" if wanted else "freeze"
    return NodeFix(
        f"Call `{method}()`", [Replace(node, f"{context.text(target.value)}.{method}()")], Applicability.UNSAFE
    )
