from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._paths import assigned


class UpdateWithFlatNames(Rule):
    """`Module.update` is given a flat dict of dotted names

    ## What it does
    Finds `model.update(…)` with what `mx.load` returned, with `dict(tree_flatten(…))`, or with a dict whose keys hold
    dots.

    ## PyTorch and MLX
    `load_state_dict` takes dotted names. MLX's `update` takes a tree of dicts and lists as `parameters()` returns it,
    and raises for a name it does not know. `load_weights` takes a file or a list of pairs with dotted names.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2))
    model.update(mx.load("model.safetensors"))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2))
    model.load_weights([("layers.0.weight", mx.zeros((2, 2))), ("layers.0.bias", mx.zeros((2,)))])
    ```

    A file's name does as well: `model.load_weights("model.safetensors")`.

    ## Fix safety
    The fix calls `load_weights` with the file's name. It is unsafe: it also asks that all names match.

    ## References
    - [Module.load_weights](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.load_weights.html)
    - [Module.update](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.update.html)
    """

    code = "MLX903"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"update"})
    message = "`update` takes a nested tree, and `{weights}` has flat, dotted names"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not (isinstance(node.func, cst.Attribute) and node.func.attr.value == "update" and node.args):
            return
        callee, receiver = context.callee(node), context.receiver(node)
        if callee != "mlx.nn.Module.update" and not (
            isinstance(receiver, Instance) and callee == receiver.type + ".update"
        ):
            return
        if not isinstance(receiver, Instance) or receiver.type.startswith("mlx.optimizers.") or not _is_mlx(receiver):
            return
        given = node.args[0].value
        if _is_flat(given, context):
            context.report(self, node, because=[given], fix=_loaded(node, given, context), weights=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model, flat = nn.Sequential(nn.Linear(2, 2)), {"layers.0.bias": mx.ones(2)}
        hazard = raises(lambda: model.update(flat), ValueError)
        model.load_weights(list(flat.items()), strict=False)
        return Evidence(hazard, shown(model.layers[0].bias.sum().item() == 2, "load_weights: loaded"))


def _is_mlx(receiver: Instance) -> bool:
    return receiver.code.is_mlx_module if receiver.code is not None else receiver.type.startswith("mlx.nn.")


def _is_flat(node: cst.BaseExpression | None, context: Context, depth: int = 3) -> bool:
    """Whether a dict surely has dotted names."""
    if node is None or depth == 0:
        return False
    value = context.value(node)
    if isinstance(value, Dict) and any("." in key for key in value.items):
        return True
    if isinstance(node, cst.Call):
        callee = context.callee(node)
        if callee == "builtins.dict" and len(node.args) == 1:
            inner = node.args[0].value
            return isinstance(inner, cst.Call) and context.callee(inner) == "mlx.utils.tree_flatten"
        return callee == "mlx.core.load"
    return isinstance(node, cst.Name) and _is_flat(assigned(node, context), context, depth - 1)


def _loaded(node: cst.Call, given: cst.BaseExpression, context: Context) -> NodeFix | None:
    if not (
        isinstance(given, cst.Call)
        and context.callee(given) == "mlx.core.load"
        and len(given.args) == 1
        and len(node.args) == 1
    ):
        return None
    assert isinstance(node.func, cst.Attribute)
    text = f"{context.text(node.func.value)}.load_weights({context.text(given.args[0].value)})"
    return NodeFix("Call `load_weights`", [Replace(node, text)], Applicability.UNSAFE)
