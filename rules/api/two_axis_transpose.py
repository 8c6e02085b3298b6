from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises


class TwoAxisTranspose(Rule):
    """Swapping two axes with `transpose`

    ## What it does
    Finds `x.transpose(a, b)` where the two axes are not the permutation of a matrix, or are the one that changes nothing.

    ## PyTorch and MLX
    `Tensor.transpose(a, b)` swaps two axes. MLX's `transpose` takes the order of all axes: with two of an array of more axes
    it raises `ValueError`, and `transpose(0, 1)` of a matrix returns it as it is. `swapaxes` is the counterpart.

    ## Example
    ```python
    import mlx.core as mx

    keys = mx.zeros((2, 4, 8, 16))
    turned = keys.transpose(-2, -1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    keys = mx.zeros((2, 4, 8, 16))
    turned = keys.swapaxes(-2, -1)
    ```

    ## Fix safety
    Unsafe: the result changes, to that of PyTorch.

    ## References
    - [mlx.core.array.swapaxes](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.swapaxes.html)
    """

    code = "MLX464"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{call}` {effect}: MLX's `transpose` takes the order of all axes"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.array.transpose" or not isinstance(node.func, cst.Attribute) or len(node.args) != 2:
            return
        if any(arg.star or arg.keyword for arg in node.args):
            return
        a, b = (constant(context.value(arg.value), int) for arg in node.args)
        array = context.array(node.func.value)
        if array is None or not isinstance(a, int) or not isinstance(b, int):
            return
        rank = array.rank
        turns_matrix = {a % 2, b % 2} == {0, 1} and a % 2 == 1 and -2 <= a < 2 and -2 <= b < 2
        identity = -2 <= a < 2 and -2 <= b < 2 and a % 2 == 0 and b % 2 == 1
        if rank == 2 and turns_matrix or rank is None and (a, b) == (1, 0):
            return
        effect = "changes nothing" if rank == 2 and identity else "raises" if rank not in (2, None) or not identity else "raises or changes nothing"
        confidence = LIKELY if rank is None and turns_matrix else CERTAIN
        fix = NodeFix("Swap the two axes", [Replace(node.func.attr, "swapaxes")], Applicability.UNSAFE)
        context.report(self, node, because=[node.func.value], confidence=confidence, call=_call(node, context), effect=effect, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(6).reshape(1, 2, 3)
        return Evidence(raises(lambda: x.transpose(1, 2), ValueError), agrees(x.swapaxes(1, 2), [[[0, 3], [1, 4], [2, 5]]]))


def _call(node: cst.Call, context: Context) -> str:
    return f"transpose({', '.join(context.text(arg.value) for arg in node.args)})"
