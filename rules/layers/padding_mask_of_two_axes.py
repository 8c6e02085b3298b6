from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

from .._operations import operand

_TOKENS = re.compile(r"(?:^|_)(?:ids?|tokens?|input_ids|words|sequences?|src|tgt)$")
_STEPS = 4


class PaddingMaskOfTwoAxes(Rule):
    """A mask of the padding, one row per sample, is given to attention as it is

    ## What it does
    Finds `nn.MultiHeadAttention` and the transformer encoder called with a mask that was made by comparing tokens with
    a number, and got no axes for heads and queries.

    ## PyTorch and MLX
    PyTorch's `key_padding_mask` is (batch, keys). MLX's mask is broadcast to (batch, heads, queries, keys): two axes
    are taken for queries and keys, so that it raises, or, with as many samples as positions, hides other tokens. Put
    the two axes in: `mask[:, None, None, :]`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    attention, embed = nn.MultiHeadAttention(8, 2, bias=True), nn.Embedding(10, 8)
    tokens = mx.array([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    x = embed(tokens)
    y = attention(x, x, x, tokens != 0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    attention, embed = nn.MultiHeadAttention(8, 2, bias=True), nn.Embedding(10, 8)
    tokens = mx.array([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    x = embed(tokens)
    y = attention(x, x, x, (tokens != 0)[:, None, None, :])
    ```

    ## Fix safety
    The fix puts the two axes in. It is unsafe: the tokens may be those of one sample.

    ## References
    - [MultiHeadAttention](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MultiHeadAttention.html)
    """

    code = "MLX395"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"__call__"})
    message = "`{mask}` has one row per sample: attention takes its two axes for queries and keys"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        index = {"mlx.nn.MultiHeadAttention.__call__": 3, "mlx.nn.TransformerEncoder.__call__": 1}.get(callee)
        mask = None if index is None else context.argument(node, index, "mask")
        if mask is None or not _compares_tokens(mask, context):
            return
        fix = Replace(mask, f"{operand(mask, context)}[:, None, None, :]")
        context.report(
            self, node, because=[mask], confidence=LIKELY, mask=context.brief(mask),
            fix=NodeFix("Give it axes for heads and queries", [fix], Applicability.UNSAFE),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        tokens, x = mx.array([[1, 0], [1, 1]]), mx.array([[[[1.0], [3.0]]], [[[1.0], [3.0]]]])
        keep, zeros = tokens != 0, mx.zeros_like(x)
        attend = mx.fast.scaled_dot_product_attention
        expected = mx.array([[[[1.0], [1.0]]], [[[2.0], [2.0]]]])
        return Evidence(
            differs(attend(zeros, zeros, x, scale=1.0, mask=keep), expected),
            agrees(attend(zeros, zeros, x, scale=1.0, mask=keep[:, None, None, :]), expected),
        )


def _compares_tokens(mask: cst.BaseExpression, context: Context) -> bool:
    """Whether a mask is ``tokens != 0``, perhaps inverted or cast, with the axes that the tokens have."""
    made: cst.CSTNode | None = mask
    for _ in range(_STEPS):
        array = context.array(made)
        if array is None or array.rank not in (None, 2):
            return False
        made = array.node
        if isinstance(made, cst.UnaryOperation):
            made = made.expression
        elif isinstance(made, cst.Call) and isinstance(made.func, cst.Attribute) and made.func.attr.value == "astype":
            made = made.func.value
        else:
            break
    if not isinstance(made, cst.Comparison) or not isinstance(
        made.comparisons[0].operator, (cst.Equal, cst.NotEqual, cst.GreaterThan)
    ):
        return False
    names = [(tree.dotted(side) or "").rpartition(".")[2] for side in (made.left, made.comparisons[0].comparator)]
    return any(_TOKENS.search(name) for name in names if name.islower()) and "positions" not in names
