from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, Array, Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._layouts import (
    CONVOLUTIONS,
    RANKS,
    axes_given,
    is_channels_first,
    layer_called,
    number,
    operand,
    option,
    turned_outside,
)

_NORMALISING = frozenset(f"mlx.nn.{name}.__call__" for name in ("LayerNorm", "RMSNorm", "Linear", "GRU", "LSTM", "RNN"))
_KEEPING = frozenset({"pad", "split", "astype", "relu", "gelu", "silu", "leaky_relu", "tanh"})
_FEATURES_LAST = _NORMALISING | {"mlx.nn.Embedding.__call__"}


class ConvChannelsFirst(Rule):
    """A convolution is given its input channels-first

    ## What it does
    Finds calls of `nn.Conv*` and `nn.ConvTranspose*` layers whose input is in the order batch, channels, space: by its
    literal shape against `in_channels`, by a `transpose` or `moveaxis` of MLX's or NumPy's that brought the channels
    forward, or because its shape was unpacked as `B, C, H, W`.

    ## PyTorch and MLX
    PyTorch's convolutions take NCL, NCHW and NCDHW. MLX's take the channels last: NLC, NHWC and NDHWC. Where the last
    axis does not have `in_channels` elements the call raises; where it happens to, the wrong axes are convolved.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    conv = nn.Conv2d(3, 8, kernel_size=3)
    y = conv(mx.zeros((1, 3, 32, 32)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    conv = nn.Conv2d(3, 8, kernel_size=3)
    y = conv(mx.zeros((1, 32, 32, 3)))
    ```

    Images from elsewhere are turned once, at the border: `images.transpose(0, 2, 3, 1)`.

    ## Fix safety
    The fix moves the channels of the input to the last axis. It is unsafe: what follows the layer may have been
    written for channels-first maps.

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX331"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"__call__"})
    message = "`{layer}` takes channels last, and `{input}` is channels-first: {why}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, CONVOLUTIONS)
        given = context.argument(node, 0, "x")
        array = context.array(given)
        if layer is None or given is None or array is None:
            return
        channels = number(option(layer, 0, "in_channels"))
        why = is_channels_first(array, channels) or turned_outside(array, context)
        if why is None and RANKS[layer.type] == 3:
            why = _turned_steps(node, array, context)
        if why is not None:
            exact = array.layout == "channels_first" or isinstance((array.shape or (None,))[-1], int)
            context.report(
                self,
                node,
                because=[given],
                confidence=CERTAIN if exact else LIKELY,
                input=context.brief(given),
                why=why,
                layer=layer.type.replace("mlx.nn.", "nn."),
                repro={"dimensions": RANKS[layer.type] - 2},
                fix=_channels_last(given, context),
            )

    @staticmethod
    def repro(dimensions: int = 2) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        conv = getattr(nn, f"Conv{dimensions}d")(3, 4, 1)
        space = (5,) * dimensions
        result = conv(mx.zeros((1, *space, 3)))
        return Evidence(
            raises(lambda: conv(mx.zeros((1, 3, *space)))),
            shown(result.shape == (1, *space, 4), f"shape {result.shape}"),
        )


def _turned_steps(node: cst.Call, array: Array, context: Context) -> str | None:
    """Why a sequence that is transposed on its way into a layer was (batch, steps, channels) before."""
    turn = array.node
    if not isinstance(turn, cst.Call) or not _exchanges_last_two(turn, context):
        return None
    source = operand(turn, context)
    before = context.array(source)
    if source is None or before is None or _exchanges_last_two(before.node, context):
        return None
    if _has_features_last(before, context):
        return f"`{context.brief(source)}` has its channels last"
    return _taken_as_features(node, context)


def _has_features_last(array: Array | None, context: Context, depth: int = 4) -> bool:
    """Whether an array comes from a layer that works on the last axis, through what leaves the axes in their places."""
    op = "" if array is None else array.op or ""
    if array is None or depth == 0 or op in _FEATURES_LAST or not isinstance(array.node, cst.Call):
        return op in _FEATURES_LAST
    inner = operand(array.node, context)
    if op.rpartition(".")[2] in ("concatenate", "concat") and isinstance(inner, (cst.List, cst.Tuple)):
        return any(_has_features_last(context.array(part.value), context, depth - 1) for part in inner.elements)
    return op.rpartition(".")[2] in _KEEPING and _has_features_last(context.array(inner), context, depth - 1)


def _taken_as_features(node: cst.Call, context: Context) -> str | None:
    """What takes the result, once transposed back, as an array whose channels are last."""
    turns, inner = 0, node
    for outer in context.ancestors(node):
        if isinstance(outer, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
            return None
        if not isinstance(outer, cst.Call):
            continue
        called = context.called(outer)
        turns += _exchanges_last_two(outer, context)
        if isinstance(called, Instance) and f"{called.type}.__call__" in _NORMALISING and inner is not outer:
            return f"`{context.brief(outer.func)}` takes its result as channels-last" if turns == 1 else None
        inner = outer
    return None


def _exchanges_last_two(node: cst.CSTNode | None, context: Context) -> bool:
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    axes = {"swapaxes": ([1, 2], [2, 1], [-1, -2], [-2, -1]), "transpose": ([0, 2, 1],)}.get(node.func.attr.value, ())
    return bool(axes) and axes_given(node, context) in axes


def _channels_last(given: cst.BaseExpression, context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    if core is None:
        return None
    mx, imports = core
    edit = Replace(given, f"{mx}.moveaxis({context.text(given)}, 1, -1)")
    return NodeFix("Move the channels to the last axis", [*imports, edit], Applicability.UNSAFE)
