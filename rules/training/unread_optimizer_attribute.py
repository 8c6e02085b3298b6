from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._optimizers import as_optimizer, is_schedule, learning_rate

RATE = frozenset({"lr", "rate", "learning_rate_", "base_lr"})
OTHERS = {"wd": "weight_decay", "decay": "weight_decay", "beta": "betas", "nesterov_momentum": "nesterov"}


class UnreadOptimizerAttribute(Rule):
    """An attribute is set on an optimizer that it never reads

    ## What it does
    Finds assignments to `lr`, `wd` and the like on an optimizer of `mlx.optimizers`.

    ## PyTorch and MLX
    In PyTorch the learning rate is changed through `param_groups`. In MLX it is the attribute `learning_rate`. Any
    other attribute can be set as well, and nobody reads it: the training goes on with the old rate.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=0.1)
    optimizer.lr = 0.01
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=0.1)
    optimizer.learning_rate = 0.01
    ```

    ## Fix safety
    The fix assigns to the attribute that is read. That changes the training, so it is unsafe.

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX204"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{name}` of an MLX optimizer is never read, the attribute is `{right}`"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            self._check(target.target, node, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node.target, node, context)

    def _check(self, target: cst.BaseExpression, node: cst.CSTNode, context: Context) -> None:
        if not isinstance(target, cst.Attribute):
            return
        name = target.attr.value
        right = "learning_rate" if name in RATE else OTHERS.get(name)
        optimizer = None if right is None else as_optimizer(context.value(target.value))
        if right is None or optimizer is None or optimizer.code is not None:
            return
        context.report(
            self,
            node,
            because=[target.value],
            name=name,
            right=right,
            fix=_fix(target, right, optimizer),
            repro={"name": name},
        )

    @staticmethod
    def repro(name: str = "lr") -> Evidence:
        import mlx.optimizers as optim

        flagged, right = optim.SGD(0.5), optim.SGD(0.5)
        setattr(flagged, name, 0.125)
        right.learning_rate = 0.125
        return Evidence(
            shown(flagged.learning_rate.item() == 0.5, f"the rate is {flagged.learning_rate.item()}"),
            shown(right.learning_rate.item() == 0.125, f"the rate is {right.learning_rate.item()}"),
        )


def _fix(target: cst.Attribute, right: str, optimizer: Instance) -> NodeFix | None:
    if right == "learning_rate" and is_schedule(learning_rate(optimizer)):
        return None  # an assignment to it would be undone
    return NodeFix(f"Assign to `{right}`", [Replace(target.attr, right)], Applicability.UNSAFE)
