from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._layouts import channels_last, number


class ChannelsFirstConcatenate(Rule):
    """Channels-last maps are joined on axis 1, the channels of PyTorch

    ## What it does
    Finds `mx.concatenate([a, b], axis=1)` of what convolutions, pools and layers after them return.

    ## PyTorch and MLX
    In NCHW axis 1 is the channels, and skip connections are joined there. MLX's maps are NHWC: axis 1 is the height,
    and the channels are the last axis. The next convolution then raises, or, where the sizes fit, reads one map below
    the other.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = mx.zeros((1, 8, 8, 3))
    a, b = nn.Conv2d(3, 4, 1)(x), nn.Conv2d(3, 4, 1)(x)
    joined = mx.concatenate([a, b], axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = mx.zeros((1, 8, 8, 3))
    a, b = nn.Conv2d(3, 4, 1)(x), nn.Conv2d(3, 4, 1)(x)
    joined = mx.concatenate([a, b], axis=-1)
    ```

    ## Fix safety
    The fix writes axis -1. It is unsafe, since maps may really be meant to stand one below the other.

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX334"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"concatenate", "concat"})
    message = "`{joined}` are channels-last: axis 1 is their height, and channels are joined on axis -1"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in ("mlx.core.concatenate", "mlx.core.concat"):
            return
        arrays, axis = context.argument(node, 0, "arrays"), context.argument(node, 1, "axis")
        if not isinstance(arrays, (cst.List, cst.Tuple)) or axis is None or number(context.value(axis)) != 1:
            return
        elements = [element.value for element in arrays.elements]
        maps = [channels_last(element, context) for element in elements]
        if len(maps) < 2 or not all(found is not None and _is_whole(found) for found in maps):
            return
        fix = NodeFix("Join on the last axis", [Replace(axis, "-1")], Applicability.UNSAFE)
        context.report(self, node, because=elements[:2], confidence=LIKELY, fix=fix, joined=context.brief(arrays))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        a, b = mx.zeros((1, 4, 4, 2)), mx.zeros((1, 4, 4, 2))
        conv = nn.Conv2d(4, 1, 1)
        result = conv(mx.concatenate([a, b], axis=-1))
        return Evidence(
            raises(lambda: conv(mx.concatenate([a, b], axis=1))),
            shown(result.shape == (1, 4, 4, 1), f"shape {result.shape}"),
        )


def _is_whole(array: Array) -> bool:
    """Whether an array is a layer's map and no slice or filling, which one joins along the height on purpose."""
    short = (array.op or "").rpartition(".")[2]
    return short not in ("__getitem__", "zeros", "ones", "zeros_like", "ones_like", "pad", "broadcast_to", "flip")
