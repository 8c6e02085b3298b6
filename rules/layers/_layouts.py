"""What rules about channels-first and channels-last arrays share."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, Array, Foreign, Instance, Shape, Value, constant

RANKS = {f"mlx.nn.{kind}{n}d": n + 2 for kind in ("Conv", "ConvTranspose", "MaxPool", "AvgPool") for n in (1, 2, 3)}
CONVOLUTIONS = frozenset(name for name in RANKS if "Conv" in name)


def layer_called(call: cst.Call, context: Context, names: frozenset[str]) -> Instance | None:
    """The layer that is called, when it is one of ``names`` or a subclass without a ``__call__`` of its own."""
    called = context.called(call)
    if not isinstance(called, Instance):
        return None
    if called.code is None:
        return called if called.type in names else None
    if called.code.method("__call__") is not None:
        return None
    base = next((n for n in called.code.ancestry()[1] if n in names), None)
    return Instance(base) if base is not None else None


def option(layer: Instance, index: int, name: str) -> Value:
    """A constructor's argument; UNKNOWN when it was not given."""
    return layer.keywords.get(name, layer.args[index] if index < len(layer.args) else UNKNOWN)


def number(value: Value) -> int | None:
    found = constant(value, int)
    return found if isinstance(found, int) else None


def is_channels_first(array: Array, channels: int | None) -> str | None:
    """Why an array's axes are surely in the order batch, channels, space; None when they may not be.

    ``channels``: how many channels the layer expects, if that is known.
    """
    shape = array.shape
    last = shape[-1] if shape else None
    if channels is not None and isinstance(last, int):
        if last == channels or shape is None or len(shape) < 3:
            return None
        return f"its shape is {_shown(shape)}" if shape[1] == channels or array.layout == "channels_first" else None
    if array.layout == "channels_first":
        return "it was brought to channels-first order"
    if (
        channels is not None
        and shape is not None
        and len(shape) in (4, 5)
        and shape[1] == channels
        and isinstance(channels, int)
    ):
        return f"its axis 1 has {channels} elements, as many as there are channels"
    return f"its shape is {_shown(shape)}" if channels is None and shape and _is_of_colours(shape) else None


def _is_of_colours(shape: Shape) -> bool:
    """Whether a shape is that of grey or coloured squares, channels first: (8, 3, 224, 224)."""
    if len(shape) != 4:
        return False
    _, channels, height, width = shape
    return channels in (1, 3) and isinstance(height, int) and height == width and height > 4


_TO_FRONT: dict[str, tuple[tuple[int, ...], ...]] = {
    "transpose": ((2, 0, 1), (0, 3, 1, 2)),
    "permute": ((2, 0, 1), (0, 3, 1, 2)),
    "moveaxis": ((-1, 0), (2, 0), (-1, 1), (3, 1)),
    "rollaxis": ((2,), (2, 0)),
}
_KEEPING = frozenset("astype expand_dims stack copy ascontiguousarray asarray float contiguous numpy".split())
_STEPS = 8


def turned_outside(array: Array | None, context: Context) -> str | None:
    """Why an array is channels-first, where NumPy or PyTorch turned an image before ``mx.array`` took it."""
    for _ in range(_STEPS):
        if array is None or array.layout == "channels_last":
            return None
        if array.op == "mlx.core.array" and isinstance(array.node, cst.Call) and array.node.args:
            return _turned(array.node.args[0].value, context)
        array = context.array(_source(array, context))
    return None


def _turned(given: cst.BaseExpression, context: Context) -> str | None:
    """How a foreign array, or what it was made of, was turned."""
    for _ in range(_STEPS):
        value = context.value(given)
        if not isinstance(value, Foreign):
            return None
        if isinstance(value.node, cst.Call) and (axes := _TO_FRONT.get((value.op or "").rpartition(".")[2])):
            arguments = tuple(axis for arg in value.node.args for axis in axes_of(context.value(arg.value)) or ())
            return f"`{context.brief(value.node)}` brought its channels to the front" if arguments in axes else None
        source = _source(value, context)
        if source is None:
            return None
        given = source
    return None


def _source(value: Array | Foreign, context: Context) -> cst.BaseExpression | None:
    """What an operation was given that leaves the order of the axes."""
    node = value.node
    if isinstance(node, cst.Subscript):
        return node.value
    if isinstance(node, cst.BinaryOperation):
        return node.left
    if not isinstance(node, cst.Call) or (value.op or "").rpartition(".")[2] not in _KEEPING:
        return None
    is_method = isinstance(node.func, cst.Attribute) and isinstance(context.value(node.func.value), (Array, Foreign))
    given = node.func.value if is_method else node.args[0].value if node.args else None  # type: ignore[attr-defined]
    return given.elements[0].value if isinstance(given, (cst.List, cst.Tuple)) and given.elements else given


def _shown(shape: tuple[object, ...]) -> str:
    return "(" + ", ".join("?" if s is None else str(s) for s in shape) + ")"


def channels_last(node: cst.BaseExpression, context: Context) -> Array | None:
    """The array of an expression when it is a map in channels-last order, as convolutions and pools return it."""
    array = context.array(node)
    if array is None or array.layout != "channels_last" or array.rank not in (None, 4, 5):
        return None
    return array


def axes_of(value: Value) -> tuple[int, ...] | None:
    """The axes that an ``axis`` argument names, as written."""
    items = getattr(value, "items", None)
    found = [number(item) for item in items] if isinstance(items, tuple) else [number(value)]
    return None if any(axis is None for axis in found) else tuple(axis for axis in found if axis is not None)


def operand(call: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The array that an operation works on: ``x`` of ``x.reshape(…)`` and of ``mx.reshape(x, …)``."""
    if isinstance(call.func, cst.Attribute) and context.array(call.func.value) is not None:
        return call.func.value
    return call.args[0].value if call.args and not call.args[0].star else None


def axes_given(call: cst.Call, context: Context) -> list[int | None]:
    """The axes that a transposition was given, as numbers or in one tuple; None for what is not known."""
    method = operand(call, context) is not (call.args[0].value if call.args else None)
    given = [arg.value for arg in call.args[0 if method else 1 :] if not arg.star]
    if len(given) == 1 and isinstance(given[0], (cst.Tuple, cst.List)):
        given = [element.value for element in given[0].elements]
    return [number(context.value(argument)) for argument in given]
