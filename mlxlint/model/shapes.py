"""Shapes under indexing, broadcasting, reductions and reshaping. A size is an int, a :class:`Dim` or None."""

from __future__ import annotations

from mlxlint.model.values import UNKNOWN, Array, Const, Foreign, Scalar, Sequence, Shape, Size, Value, constant, members

CHANNEL_NAMES = frozenset(
    {"c", "ch", "chan", "channels", "num_channels", "in_channels", "n_channels", "c_in", "cin", "nc"}
)
SPATIAL_NAMES = frozenset({"h", "w", "d", "t", "l", "height", "width", "depth", "length", "hh", "ww"})


def of_values(value: Value) -> Shape | None:
    """The shape a literal such as ``(2, n, -1)`` or ``4`` states."""
    if isinstance(value, Sequence) and value.items is not None:
        return tuple(size(item) for item in value.items)
    if isinstance(value, (Const, Scalar)):
        return (size(value),)
    return None


def size(value: Value) -> Size:
    if isinstance(value, Const):
        found = constant(value, int)
        return found if isinstance(found, int) else None
    return value.dim if isinstance(value, Scalar) else None


def broadcast(a: Shape | None, b: Shape | None) -> Shape | None:
    if a is None or b is None:
        return None
    width = max(len(a), len(b))
    a, b = (1,) * (width - len(a)) + a, (1,) * (width - len(b)) + b
    return tuple(y if x == 1 else x if y == 1 or x == y else None for x, y in zip(a, b))


def axes(value: Value, rank: int) -> tuple[int, ...] | None:
    """The axes an ``axis=`` value names, counted from the front; all of them for ``None``; None when not known."""
    if isinstance(value, Const) and value.value is None:
        return tuple(range(rank))
    items = value.items if isinstance(value, Sequence) else (value,)
    if items is None:
        return None
    found = [constant(item, int) for item in items]
    if any(axis is None or not -rank <= axis < rank for axis in found):
        return None
    return tuple(axis % rank for axis in found)


def reduce(shape: Shape | None, axis: Value, keepdims: bool) -> Shape | None:
    """The shape of a reduction over ``axis`` (a value; ``None`` for all)."""
    if isinstance(axis, Const) and axis.value is None and not keepdims:
        return ()
    if shape is None:
        return None
    gone = axes(axis, len(shape))
    if gone is None:
        if not isinstance(axis, (Const, Scalar)):
            return None
        return (None,) * (len(shape) if keepdims else max(len(shape) - 1, 0))
    if keepdims:
        return tuple(1 if i in gone else s for i, s in enumerate(shape))
    return tuple(s for i, s in enumerate(shape) if i not in gone)


def reshape(old: Shape | None, new: Shape | None) -> Shape | None:
    """The shape after ``reshape``: a ``-1`` becomes a number where the sizes tell."""
    if new is None or -1 not in new:
        return new
    if old is not None and all(isinstance(s, int) for s in old) and new.count(-1) == 1:
        total = rest = 1
        for s in old:
            total *= s if isinstance(s, int) else 1
        if all(isinstance(s, int) for s in new):
            for s in new:
                rest *= s if isinstance(s, int) and s != -1 else 1
            if rest > 0 and total % rest == 0:
                return tuple(total // rest if s == -1 else s for s in new)
    return tuple(None if s == -1 else s for s in new)


def permute(shape: Shape | None, order: tuple[int, ...]) -> Shape | None:
    if shape is None:
        return (None,) * len(order)
    if len(order) != len(shape) or any(not -len(shape) <= o < len(shape) for o in order):
        return None
    return tuple(shape[o] for o in order)


def index(shape: Shape | None, parts: list[Value | None]) -> Shape | None:
    """The shape of ``x[parts]``; a part is None for a slice, else the value of the index."""
    if shape is None:
        return None
    taken = sum(not (isinstance(p, Const) and (p.value is None or p.value is ...)) for p in parts)
    result: list[Size] = []
    at = 0
    gathered: Shape | None = None
    place = 0
    for part in parts:
        if isinstance(part, Const) and part.value is None:
            result.append(1)
            continue
        if isinstance(part, Const) and part.value is ...:
            skip = len(shape) - taken
            result.extend(shape[at : at + max(skip, 0)])
            at += max(skip, 0)
            continue
        if at >= len(shape):
            return None
        if part is None:
            result.append(None)
        elif isinstance(part, (Array, Foreign)):
            if part.shape is None:
                return None
            if gathered is None:
                place = len(result)
            gathered = part.shape if gathered is None else broadcast(gathered, part.shape)
            if gathered is None:
                return None
        elif isinstance(part, (Const, Scalar)):
            pass  # an integer takes the axis away
        else:
            return None
        at += 1
    result.extend(shape[at:])
    if gathered is not None:
        result[place:place] = gathered
    return tuple(result)


def layout_of_names(names: list[str | None]) -> str | None:
    """The layout that unpacking a shape into these names states: ``B, C, H, W`` or ``b, h, w, c``."""
    if len(names) not in (3, 4, 5) or any(n is None for n in names):
        return None
    lowered = [str(n).lower().strip("_") for n in names]
    spatial = [i for i, n in enumerate(lowered) if n in SPATIAL_NAMES]
    if len(names) == 3:
        spatial = [
            i for i in spatial if lowered[i] not in ("t", "d")
        ]  # (batch, time, channels) says nothing of convolutions
    if lowered[1] in CHANNEL_NAMES and spatial == list(range(2, len(names))):
        return "channels_first"
    if lowered[-1] in CHANNEL_NAMES and spatial == list(range(1, len(names) - 1)):
        return "channels_last"
    return None


def all_ints(value: Value) -> bool:
    return all(isinstance(m, (Const, Scalar)) for m in members(value)) and value is not UNKNOWN
