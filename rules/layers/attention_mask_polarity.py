from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

ATTENTION: dict[str, tuple[tuple[int | None, str], ...]] = {  # where masks are given
    "mlx.nn.MultiHeadAttention.__call__": ((3, "mask"),),
    "mlx.nn.TransformerEncoder.__call__": ((1, "mask"),),
    "mlx.nn.TransformerDecoder.__call__": ((2, "x_mask"), (3, "memory_mask")),
    "mlx.core.fast.scaled_dot_product_attention": ((None, "mask"),),
}
_PADDING = re.compile(r"pad", re.IGNORECASE)
_SHAPING = frozenset("__getitem__ reshape expand_dims astype broadcast_to transpose swapaxes".split())


class AttentionMaskPolarity(Rule):
    """A boolean mask that is True for padding is given to MLX's attention, where True means attend

    ## What it does
    Finds masks for `nn.MultiHeadAttention` and `mx.fast.scaled_dot_product_attention` that were made with `== pad`, or
    with `mx.triu(…, k=1)` as booleans.

    ## PyTorch and MLX
    `nn.MultiheadAttention` in PyTorch ignores what is True in `key_padding_mask` and in a boolean `attn_mask`. MLX
    attends to what is True. With PyTorch's mask the model attends to the padding, or to the future, and to nothing
    else.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    PAD = 0
    attention = nn.MultiHeadAttention(8, 2, bias=True)
    tokens = mx.array([[5, 6, 0]])
    x = mx.zeros((1, 3, 8))
    y = attention(x, x, x, (tokens == PAD)[:, None, None, :])
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    PAD = 0
    attention = nn.MultiHeadAttention(8, 2, bias=True)
    tokens = mx.array([[5, 6, 0]])
    x = mx.zeros((1, 3, 8))
    y = attention(x, x, x, (tokens != PAD)[:, None, None, :])
    ```

    ## References
    - [MultiHeadAttention](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MultiHeadAttention.html)
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX352"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__", "scaled_dot_product_attention"})
    message = "in MLX a boolean attention mask is True where a query attends: `{mask}` is True for {what}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        for index, keyword in ATTENTION.get(callee or "", ()):
            mask = context.argument(node, index, keyword)
            what = None if mask is None else _ignored(mask, context)
            if mask is not None and what is not None:
                context.report(self, node, because=[mask], confidence=LIKELY, mask=context.brief(mask), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        q = mx.zeros((1, 1, 1, 2))
        k, v = mx.zeros((1, 1, 3, 2)), mx.array([[[[1.0, 1.0], [3.0, 3.0], [100.0, 100.0]]]])
        padding = mx.array([False, False, True])
        attend = mx.fast.scaled_dot_product_attention
        expected = mx.full((1, 1, 1, 2), 2.0)
        return Evidence(
            differs(attend(q, k, v, scale=1.0, mask=padding), expected),
            agrees(attend(q, k, v, scale=1.0, mask=~padding), expected),
        )


def _ignored(node: cst.CSTNode | None, context: Context, depth: int = 6) -> str | None:
    """What a boolean mask is True for, when that is what PyTorch ignores."""
    array = context.array(node)
    if array is None or depth == 0:
        return None
    origin, op = array.node, array.op or ""
    if op == "operator.==" and isinstance(origin, cst.Comparison):
        sides = (origin.left, origin.comparisons[0].comparator)
        names = [tree.dotted(part) or "" for part in sides]
        keeps = "mask" in names[0] and not _PADDING.search(names[0])  # 1 where to attend, as tokenizers give it
        if keeps:
            return "padding" if constant(context.value(sides[1]), int) == 0 else None
        return "padding" if any(_PADDING.search(name) for name in names) else None
    if op.rpartition(".")[2] in ("triu", "greater") and array.dtype == "bool_":
        return "the future"
    if op.rpartition(".")[2] not in _SHAPING or array.dtype not in ("bool_", None):
        return None
    if isinstance(origin, cst.Subscript):
        return _ignored(origin.value, context, depth - 1)
    if isinstance(origin, cst.Call) and isinstance(origin.func, cst.Attribute):
        receiver = context.array(origin.func.value)
        before = origin.func.value if receiver is not None else origin.args[0].value if origin.args else None
        if (
            array.dtype == "bool_"
            and receiver is not None
            and (receiver.op or "").endswith(".triu")
            and op.endswith(".astype")
        ):
            return "the future"
        return _ignored(before, context, depth - 1)
    return None
