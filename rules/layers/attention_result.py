from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, Span, shown

from ._layouts import layer_called, number

_LAYERS = frozenset({"mlx.nn.MultiHeadAttention"})


class AttentionResult(Rule):
    """The result of `nn.MultiHeadAttention` is taken apart as in PyTorch

    ## What it does
    Finds `out, weights = attention(q, k, v)` and `attention(q, k, v)[0]`.

    ## PyTorch and MLX
    PyTorch's `nn.MultiheadAttention` returns the output and the attention weights. MLX's returns the output alone:
    `[0]` takes the first item of the batch, and unpacking raises, or, with a batch of two, parts the batch.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    attention = nn.MultiHeadAttention(8, 2, bias=True)
    x = mx.zeros((3, 5, 8))
    out = attention(x, x, x)[0]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    attention = nn.MultiHeadAttention(8, 2, bias=True)
    x = mx.zeros((3, 5, 8))
    out = attention(x, x, x)
    ```

    ## Fix safety
    The fix takes `[0]` away. It is unsafe: the first item of the batch may be meant.

    ## References
    - [MultiHeadAttention](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MultiHeadAttention.html)
    """

    code = "MLX351"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`nn.MultiHeadAttention` returns the output alone: {what}"
    targets = frozenset({cst.Tuple, cst.List})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if isinstance(target, (cst.Tuple, cst.List)) and isinstance(node.value, cst.Call) and len(target.elements) == 2:
            if layer_called(node.value, context, _LAYERS) is not None:
                context.report(self, node, because=[node.value.func], what="unpacking it parts the batch")

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        if not (isinstance(node.value, cst.Call) and len(node.slice) == 1 and isinstance(index, cst.Index)):
            return
        if number(context.value(index.value)) == 0 and layer_called(node.value, context, _LAYERS) is not None:
            fix = NodeFix("Take the whole output", [Span(node, node, context.text(node.value))], Applicability.UNSAFE)
            context.report(
                self,
                node,
                because=[node.value],
                confidence=LIKELY,
                fix=fix,
                what="`[0]` is the first item of the batch",
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.zeros((3, 5, 8))
        out = nn.MultiHeadAttention(8, 2)(x, x, x)
        return Evidence(
            shown(out[0].shape == (5, 8), f"[0] has shape {out[0].shape}"),
            shown(out.shape == (3, 5, 8), f"the output has shape {out.shape}"),
        )
