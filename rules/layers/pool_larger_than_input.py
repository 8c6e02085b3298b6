from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._layouts import layer_called

_POOLS = frozenset(f"mlx.nn.{kind}Pool{n}d" for kind in ("Max", "Avg") for n in (1, 2, 3))


class PoolLargerThanInput(Rule):
    """A pool's window is larger than its input, and the result is empty

    ## What it does
    Finds `nn.MaxPool*` and `nn.AvgPool*` called with an array that has fewer places on an axis than the window. The
    sizes are followed through convolutions and pools with known arguments.

    ## PyTorch and MLX
    PyTorch raises: "output size is too small". MLX returns an array with a size of 0, over which a mean is NaN and a
    sum is 0. Global pooling is `x.mean(axis=(1, 2))`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = mx.zeros((2, 6, 6, 16))
    pooled = nn.AvgPool2d(8)(features)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = mx.zeros((2, 6, 6, 16))
    pooled = features.mean(axis=(1, 2), keepdims=True)
    ```

    ## References
    - [AvgPool2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.AvgPool2d.html)
    """

    code = "MLX388"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "the window of `{layer}` is larger than `{input}`, of shape {shape}: the result is empty"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, _POOLS)
        given = None if layer is None else context.argument(node, 0, "x")
        array, pooled = context.array(given), context.array(node)
        if layer is None or given is None or array is None or pooled is None:
            return
        if 0 in (pooled.shape or ()) and 0 not in (array.shape or ()):
            shape = ", ".join("?" if size is None else str(size) for size in array.shape or ())
            context.report(
                self, node, because=[given], layer=layer.type.replace("mlx.nn.", "nn."), input=context.brief(given),
                shape=f"({shape})",
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.ones((1, 6, 6, 2))
        empty, pooled = nn.AvgPool2d(8)(x), nn.AvgPool2d(6)(x)
        return Evidence(
            shown(empty.size == 0, f"shape {empty.shape}, PyTorch raises"),
            shown(pooled.shape == (1, 1, 1, 2), f"a window that fits: {pooled.shape}"),
        )
