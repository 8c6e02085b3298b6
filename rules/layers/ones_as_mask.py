from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._layouts import operand
from .attention_mask_polarity import ATTENTION

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
        for index, keyword in ATTENTION.get(context.callee(node) or "", ()):
            self._check(node, context.argument(node, index, keyword), context)

    def _check(self, node: cst.Call, mask: cst.BaseExpression | None, context: Context) -> None:
        array = context.array(mask)
        if mask is None or array is None or array.dtype == "bool_":
            return
        made = _ones(array, context)
        if made is None:
            return
        here = context.parent(made) is not None
        if here and context.enclosing_function(made) is context.enclosing_function(node):
            context.report(
                self, made, because=[("it is given as a mask here", mask)], confidence=LIKELY, mask=context.brief(mask)
            )
        else:
            because = [("it is made here", made)] if here else []
            context.report(self, mask, because=because, confidence=LIKELY, mask=context.brief(mask))

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


def _ones(array: Array | None, context: Context, depth: int = 6) -> cst.CSTNode | None:
    """What makes an array one of ones and zeros that is not boolean: `mx.ones`, or the cast of a condition."""
    if array is None or depth == 0 or array.node is None:
        return None
    op, node = (array.op or "").rpartition(".")[2], array.node
    if op in ("ones", "tri") and (array.op or "").startswith("mlx.core."):
        return node if array.dtype not in (None, "bool_") or _is_dtype_of_activations(node, context) else None
    if op not in _PASSING | {"tril", "triu"} or not isinstance(node, (cst.Call, cst.Subscript)):
        return None
    source = context.array(node.value if isinstance(node, cst.Subscript) else operand(node, context))
    if source is not None and source.dtype == "bool_":
        return node if array.dtype not in (None, "bool_") or _is_dtype_of_activations(node, context) else None
    return _ones(source, context, depth - 1)


def _is_dtype_of_activations(node: cst.CSTNode, context: Context) -> bool:
    """Whether an array is made with the dtype of another one, which is no mask."""
    is_method = isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "astype"
    dtype = context.argument(node, 0 if is_method else 1, "dtype") if isinstance(node, cst.Call) else None
    if not isinstance(dtype, cst.Attribute) or dtype.attr.value != "dtype" or "mask" in context.brief(dtype):
        return False
    like = context.array(dtype.value)
    return like is not None and like.dtype is None
