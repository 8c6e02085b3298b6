from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._layouts import operand

_ATTENTION = {
    "mlx.core.fast.scaled_dot_product_attention": (None, "mask"),
    "mlx.nn.MultiHeadAttention.__call__": (3, "mask"),
}
_PASSING = frozenset({"astype", "reshape", "expand_dims", "broadcast_to", "__getitem__", "squeeze", "tile", "repeat"})


class OnesAsMask(Rule):
    """A mask of ones and zeros is added to the attention's scores

    ## What it does
    Finds masks of a floating-point or integer dtype made by `mx.ones`, by `tril` or `triu` of it, or from a comparison
    by `astype`, given to `mx.fast.scaled_dot_product_attention` or `nn.MultiHeadAttention`.

    ## PyTorch and MLX
    A boolean mask says where to attend; any other is added to the scores. With ones and zeros the scores move by one,
    and nothing is masked. Give the mask as `mx.bool_`, or with `-inf` where nothing is attended to.

    ## Example
    ```python
    import mlx.core as mx

    q = k = v = mx.zeros((1, 1, 4, 8))
    mask = mx.tril(mx.ones((4, 4)))
    y = mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask=mask)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    q = k = v = mx.zeros((1, 1, 4, 8))
    mask = mx.tril(mx.ones((4, 4), dtype=mx.bool_))
    y = mx.fast.scaled_dot_product_attention(q, k, v, scale=1.0, mask=mask)
    ```

    ## References
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX372"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__", "scaled_dot_product_attention"})
    message = "`{mask}` holds ones and zeros and is no boolean array: it is added to the scores and masks nothing"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        place = _ATTENTION.get(context.callee(node) or "")
        if place is None:
            return
        mask = context.argument(node, *place)
        array = context.array(mask)
        if mask is None or array is None or array.dtype in (None, "bool_"):
            return
        if _is_ones(array, context):
            context.report(self, mask, because=[mask], confidence=LIKELY, mask=context.brief(mask))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        q = mx.zeros((1, 1, 2, 2))
        v = mx.array([[[[0.0, 0.0], [8.0, 8.0]]]])
        ones = mx.tril(mx.ones((2, 2)))
        attend = mx.fast.scaled_dot_product_attention
        expected = mx.array([[[[0.0, 0.0], [4.0, 4.0]]]])
        return Evidence(
            differs(attend(q, q, v, scale=1.0, mask=ones), expected),
            agrees(attend(q, q, v, scale=1.0, mask=ones.astype(mx.bool_)), expected),
        )


def _is_ones(array: Array | None, context: Context, depth: int = 6) -> bool:
    """Whether an array that is not boolean is made of ones and zeros."""
    if array is None or depth == 0:
        return False
    op, node = (array.op or "").rpartition(".")[2], array.node
    if op in ("ones", "tri") and (array.op or "").startswith("mlx.core."):
        return True
    if op in ("==", "!=", "<", "<=", ">", ">=") or array.dtype == "bool_":
        return True
    if op not in _PASSING | {"tril", "triu"} or not isinstance(node, (cst.Call, cst.Subscript)):
        return False
    if isinstance(node, cst.Subscript):
        return _is_ones(context.array(node.value), context, depth - 1)
    return _is_ones(context.array(operand(node, context)), context, depth - 1)
