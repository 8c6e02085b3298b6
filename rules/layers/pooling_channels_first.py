from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._layouts import is_channels_first, layer_called, number, option, turned_outside
from ._losses import index_of

_POOLS = frozenset(f"mlx.nn.{kind}Pool{n}d" for kind in ("Max", "Avg") for n in (1, 2, 3))
_SLOPES = "mlx.nn.PReLU"
_NORMS = {"mlx.nn.BatchNorm": 0, "mlx.nn.InstanceNorm": 0, "mlx.nn.GroupNorm": 1}
_LAYERS = _POOLS | frozenset(_NORMS) | {_SLOPES, "mlx.nn.Upsample", "mlx.nn.Dropout2d", "mlx.nn.Dropout3d"}


class PoolingChannelsFirst(Rule):
    """A pooling, upsampling, normalisation or other layer of channels is given its input channels-first

    ## What it does
    Finds calls of `nn.MaxPool*`, `nn.AvgPool*`, `nn.Upsample`, `nn.BatchNorm`, `nn.InstanceNorm`, `nn.GroupNorm`,
    `nn.Dropout2d`, `nn.Dropout3d` and `nn.PReLU` with several slopes, given an input with the channels on axis 1.

    ## PyTorch and MLX
    PyTorch takes the channels on axis 1, MLX on the last. These layers have no weight that would fix the number of
    channels, or only one that may fit by chance: they pool or enlarge the channel axis and normalise or drop along the
    width, without an error.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    pool = nn.MaxPool2d(2, 2)
    images = mx.zeros((1, 32, 32, 4)).transpose(0, 3, 1, 2)
    y = pool(images)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    pool = nn.MaxPool2d(2, 2)
    images = mx.zeros((1, 32, 32, 4))
    y = pool(images)
    ```

    ## References
    - [MaxPool2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MaxPool2d.html)
    - [Upsample](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Upsample.html)
    """

    code = "MLX332"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "`{layer}` takes channels last, and `{input}` is channels-first: {why}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, _LAYERS)
        given = context.argument(node, 0, "x")
        array = context.array(given)
        if layer is None or given is None or array is None:
            return
        if layer.type == _SLOPES and (number(option(layer, 0, "num_parameters")) or 1) == 1:
            return  # one slope for all channels
        index = _NORMS.get(layer.type)
        channels = None if index is None else number(option(layer, index, "dims" if index else "num_features"))
        why = (
            is_channels_first(array, channels)
            or turned_outside(array, context)
            or (_inserted(array) if index is None else None)
        )
        if why is not None:
            context.report(
                self,
                node,
                because=[given],
                confidence=CERTAIN if array.layout else LIKELY,
                input=context.brief(given),
                why=why,
                layer=layer.type.replace("mlx.nn.", "nn."),
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.arange(16.0).reshape(1, 2, 2, 4)  # batch, height, width, channels
        pool = nn.MaxPool2d(2, 2)
        expected = x.max(axis=(1, 2)).reshape(-1)
        return Evidence(
            differs(pool(x.transpose(0, 3, 1, 2)).reshape(-1), expected), agrees(pool(x).reshape(-1), expected)
        )


def _inserted(array: Array) -> str | None:
    """``x[:, None]``: a channel axis put at place 1."""
    subscript = index_of(array)
    if subscript is None or len(subscript.slice) != 2 or array.rank not in (None, 4, 5):
        return None
    first, second = (element.slice for element in subscript.slice)
    is_whole = isinstance(first, cst.Slice) and first.lower is None and first.upper is None and first.step is None
    added = isinstance(second, cst.Index) and isinstance(second.value, cst.Name) and second.value.value == "None"
    if is_whole and added and (array.shape is None or array.shape[-1] != 1):
        return "a channel axis was inserted at place 1"
    return None
