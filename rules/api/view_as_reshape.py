from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Const, Name, Scalar, Sequence, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises


class ViewAsReshape(Rule):
    """`view` called with a shape

    ## What it does
    Finds `x.view(...)` on MLX arrays with numbers or a shape instead of a dtype.

    ## PyTorch and MLX
    `Tensor.view` gives the same elements another shape. `array.view` reads the same bytes as another dtype, as NumPy's
    does; with a shape it raises `TypeError`. `reshape` takes the same arguments as `Tensor.view`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 6))
    heads = x.view(2, 3, -1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 6))
    heads = x.reshape(2, 3, -1)
    ```

    ## Fix safety
    Safe where the object is surely an array, unsafe where that rests on a convention.

    ## References
    - [mlx.core.array.view](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.view.html)
    """

    code = "MLX405"
    calls = frozenset({"view"})
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`view` of an MLX array takes a dtype, not a shape: use `reshape`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value != "view" or not node.args:
            return
        array = context.array(node.func.value)
        if array is None or not _is_shape(node, context):
            return
        safety = Applicability.SAFE if array.confidence == CERTAIN else Applicability.UNSAFE
        fix = NodeFix("Replace `view` by `reshape`", [Replace(node.func.attr, "reshape")], safety)
        context.report(self, node.func.attr, because=[node.func.value], fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(6)
        hazard = raises(lambda: x.view(2, 3), TypeError)
        return Evidence(hazard, agrees(x.reshape(2, -1), [[0, 1, 2], [3, 4, 5]]))


def _is_shape(node: cst.Call, context: Context) -> bool:
    positional = [arg for arg in node.args if arg.keyword is None]
    if len(positional) > 1 and len(positional) == len(node.args):
        return not isinstance(context.value(positional[1].value), Name)
    if len(node.args) != 1 or not positional:
        return False
    value = context.value(positional[0].value)
    if positional[0].star:
        return isinstance(value, Sequence)
    return isinstance(value, Sequence) or (isinstance(value, (Const, Scalar)) and scalar_type(value) == "int")
