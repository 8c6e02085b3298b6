from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown

_LAYER = "mlx.nn.SinusoidalPositionalEncoding"


class SinusoidalEncodingMisused(Rule):
    """`nn.SinusoidalPositionalEncoding` is given embeddings, or a number of positions

    ## What it does
    Finds the layer made with a second positional argument above 1, and called with embeddings of three axes.

    ## PyTorch and MLX
    The `PositionalEncoding(d_model, max_len)` of PyTorch's tutorials takes embeddings and adds a table to them.
    MLX's layer takes *positions* and returns their encoding, sines and cosines in halves rather than alternating;
    its second argument is the lowest frequency. Embeddings give a result with a fourth axis.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    encode = nn.SinusoidalPositionalEncoding(8)
    y = encode(mx.zeros((2, 5, 8)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x, encode = mx.zeros((2, 5, 8)), nn.SinusoidalPositionalEncoding(8)
    y = x + encode(mx.arange(5))
    ```

    ## References
    - [SinusoidalPositionalEncoding](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.SinusoidalPositionalEncoding.html)
    """

    code = "MLX377"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"SinusoidalPositionalEncoding", "__call__"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee == _LAYER:
            frequency = context.argument(node, 1, "min_freq")
            given = constant(context.value(frequency), (int, float)) if frequency is not None else None
            if frequency is not None and given is not None and given > 1:
                problem = f"the second argument is the lowest frequency, not a number of positions: {given}"
                context.report(self, node, problem=problem)
        elif callee == _LAYER + ".__call__":
            x = context.argument(node, 0, "x")
            array = context.array(x)
            if x is not None and array is not None and array.rank == 3:
                problem = f"`{context.brief(x)}` has three axes: the layer takes positions, and adds an axis"
                context.report(self, node, because=[x], problem=problem)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        encode = nn.SinusoidalPositionalEncoding(8)
        encoded = encode(mx.arange(5))
        return Evidence(
            differs(encode(mx.zeros((2, 5, 8))).ndim, 3, what="axes"),
            shown(encoded.shape == (5, 8), f"of positions: {encoded.shape}"),
        )
