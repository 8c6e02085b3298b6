from __future__ import annotations

from collections.abc import Callable, Mapping

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Sequence, Value, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules._operations import Operation, operation

MATRIX_NORMS = ("fro", "nuc")
WIDTHS = "pad beside other axes"


class ImpossibleShape(Rule):
    """A shape that PyTorch accepts and MLX refuses

    ## What it does
    Finds `squeeze` of an axis that is known to be longer than 1, `broadcast_to` with -1, negative padding, padding of
    more or fewer axes than there are, matrices joined to an empty `mx.array([])`, matrix norms of vectors, and
    `mx.fft.fftn(x, s=...)` without `axes`.

    ## PyTorch and MLX
    PyTorch leaves an axis that is longer than 1, keeps a size that is given as -1, crops by negative padding, pads
    the last axes alone, skips empty tensors in `cat`, and takes the last axes for `s`. MLX raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 3))
    y = x.squeeze(1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 3))
    y = x.squeeze(1) if x.shape[1] == 1 else x
    ```

    ## References
    - [mlx.core.squeeze](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.squeeze.html)
    """

    code = "MLX492"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "{problem}"
    calls = frozenset({"squeeze", "broadcast_to", "pad", "norm", "fftn", "ifftn", "rfftn", "irfftn", "concatenate"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, NAMES)
        if found is None or found.starred:
            return
        problem, tried = CHECKS[found.name](found, context), found.name
        if problem is None and found.name == "pad":
            problem, tried = _widths(found, context), WIDTHS
        if problem is not None and (tried == WIDTHS or not _is_conditional(node, context)):
            context.report(self, node, because=[found.subject], problem=problem, repro={"operation": tried})

    @staticmethod
    def repro(operation: str = "squeeze") -> Evidence:
        import mlx.core as mx

        x, v = mx.ones((2, 3)), mx.ones((3,))
        wrong: Mapping[str, Callable[[], mx.array]] = {
            "squeeze": lambda: x.squeeze(1),
            "broadcast_to": lambda: mx.broadcast_to(x, (4, -1, 3)),
            "pad": lambda: mx.pad(x, [(0, 0), (-1, 0)]),
            WIDTHS: lambda: mx.pad(x, [(0, 0), (0, 1), (0, 0)]),
            "linalg.norm": lambda: mx.linalg.norm(v, "fro"),
            "concatenate": lambda: mx.concatenate([mx.array([]), x]),
        }
        transform = lambda: mx.fft.fftn(x, s=(4, 4), stream=mx.cpu)  # noqa: E731
        right = agrees(mx.linalg.norm(mx.broadcast_to(x, (4, 2, 3))[0, :, :1].squeeze(1)), 2**0.5)
        return Evidence(raises(wrong.get(operation, transform), ValueError), right)


def _squeezed(found: Operation, context: Context) -> str | None:
    array, axis = context.array(found.subject), constant(context.value(found.argument(0, "axis")), int)
    shape = None if array is None else array.shape
    if shape is None or not isinstance(axis, int) or not -len(shape) <= axis < len(shape):
        return None
    size = shape[axis]
    return (
        f"axis {axis} of `{context.brief(found.subject)}` has {size} elements"
        if isinstance(size, int) and size != 1
        else None
    )


def _broadcast(found: Operation, context: Context) -> str | None:
    negative = -1 in _constants(context.value(found.argument(0, "shape")))
    return "`mx.broadcast_to` takes no -1: say the size" if negative else None


def _padded(found: Operation, context: Context) -> str | None:
    width = context.value(found.argument(0, "pad_width"))
    negative = any(isinstance(number, int) and number < 0 for number in _constants(width))
    return "`mx.pad` takes no negative width: crop by a slice" if negative else None


def _widths(found: Operation, context: Context) -> str | None:
    """Pairs of widths for another number of axes; a single pair is for all of them."""
    array, width = context.array(found.subject), context.value(found.argument(0, "pad_width"))
    pairs = width.items if isinstance(width, Sequence) else None
    if array is None or array.rank is None or not pairs or len(pairs) in (1, array.rank):
        return None
    if not all(isinstance(pair, Sequence) for pair in pairs):
        return None
    axes = "1 axis" if array.rank == 1 else f"{array.rank} axes"
    return f"`{context.brief(found.subject)}` has {axes}, and there are widths for {len(pairs)}"


def _norm(found: Operation, context: Context) -> str | None:
    array, order = context.array(found.subject), constant(context.value(found.argument(0, "ord")), str)
    axis = found.argument(1, "axis")
    if order not in MATRIX_NORMS or array is None:
        return None
    one = array.rank == 1 if axis is None else constant(context.value(axis), int) is not None
    return f'the "{order}" norm is one of matrices, and this is of a vector' if one else None


def _transformed(found: Operation, context: Context) -> str | None:
    sizes = found.argument(0, "s")
    given = sizes is not None and isinstance(context.value(sizes), Sequence)
    return f"`mx.{found.name}` needs `axes` beside `s`" if given and found.argument(1, "axes") is None else None


def _joined(found: Operation, context: Context) -> str | None:
    listed = context.value(found.subject)
    items = listed.items or () if isinstance(listed, Sequence) else ()
    ranks = {getattr(item, "rank", None) for item in items} - {None}
    empty = any(getattr(item, "shape", None) == (0,) for item in items)
    return (
        "an empty array has one axis, and the others have more: `mx.concatenate` skips nothing"
        if empty and max(ranks) > 1  # type: ignore[type-var, operator]
        else None
    )


def _constants(value: Value) -> list[object]:
    """The numbers in a nest of tuples and lists, or the number that a value is."""
    if isinstance(value, Sequence):
        return [number for item in value.items or () for number in _constants(item)]
    return [value.value] if isinstance(value, Const) else []


def _is_conditional(node: cst.Call, context: Context) -> bool:
    """Whether a test or a ``try`` around it may keep a call from being run."""
    return context.enclosing(node, cst.If, cst.IfExp, cst.Try) is not None


CHECKS: Mapping[str, Callable[[Operation, Context], str | None]] = {
    "squeeze": _squeezed, "broadcast_to": _broadcast, "pad": _padded, "linalg.norm": _norm, "concatenate": _joined,
    **{f"fft.{name}": _transformed for name in ("fftn", "ifftn", "rfftn", "irfftn")},
}  # fmt: skip
NAMES = frozenset(CHECKS)
