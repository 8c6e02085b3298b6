from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Scalar, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, is_same, operation

NAMES = frozenset({"reshape"})
Size = tuple[int, ...] | None  # the axes whose product a size is; None for any other number than 1


class ReshapeAsTranspose(Rule):
    """`reshape` does not move axes

    ## What it does
    Finds `x.reshape(...)` with sizes of `x` in another order than it has them, or with a new one between two that are
    neighbours in `x`: `x.reshape(batch, heads, length, -1)` of `(batch, length, width)`.

    ## PyTorch and MLX
    In both libraries `reshape` keeps the order of the elements: sizes that change places cut the array into pieces of
    the right shape with the wrong contents. What is meant is `transpose`, or `reshape` followed by it. The sizes agree,
    so nothing raises.

    ## Example
    ```python
    import mlx.core as mx


    def heads(x: mx.array, count: int):
        batch, length, width = x.shape
        return x.reshape(batch, count, length, width // count)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def heads(x: mx.array, count: int):
        batch, length, width = x.shape
        return x.reshape(batch, length, count, width // count).transpose(0, 2, 1, 3)
    ```

    ## References
    - [mlx.core.transpose](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.transpose.html)
    """

    code = "MLX442"
    kind = Kind.SILENT
    severity = Severity.WARNING
    yields_to = ("space-flattened-with-channels",)
    message = "`reshape` moves no axes: {moved} in `{array}`, and the elements keep their order"
    calls = NAMES

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, NAMES)
        if found is None or found.starred:
            return
        sizes = list(_sizes(found, context))
        array = context.array(found.subject)
        moved = _moved(sizes, array.rank if array is not None else None) if sizes else None
        if moved is not None:
            context.report(
                self, node, because=[found.subject], confidence=Confidence.LIKELY, moved=moved,
                array=context.brief(found.subject),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(6).reshape(2, 3)
        expected = [[0, 3], [1, 4], [2, 5]]
        return Evidence(differs(x.reshape(3, 2), expected), agrees(x.transpose(1, 0), expected))


def _sizes(found: Operation, context: Context) -> Iterator[Size]:
    """What the sizes of the new shape are in terms of the old ones; sizes of 1 are left out."""
    given = [arg.value for arg in found.arguments.positional[0 if found.is_method else 1 :]]
    if len(given) == 1 and isinstance(given[0], (cst.Tuple, cst.List)):
        given = [element.value for element in given[0].elements]
    if any(isinstance(part, cst.StarredElement) for part in given) or len(given) < 2:
        return
    for node in given:
        if constant(context.value(node), int) != 1:
            yield _axes(node, found, context)


def _axes(node: cst.BaseExpression, found: Operation, context: Context) -> Size:
    """The axes of the array whose sizes an expression multiplies; None when it is anything else."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        left, right = _axes(node.left, found, context), _axes(node.right, found, context)
        return None if left is None or right is None else left + right
    if isinstance(node, cst.Subscript) and isinstance(node.value, cst.Attribute) and node.value.attr.value == "shape":
        index = node.slice[0].slice
        at = constant(context.value(index.value), int) if isinstance(index, cst.Index) else None
        if is_same(node.value.value, found.subject, context) and isinstance(at, int) and at >= 0:
            return (at,)
    return _named(context, node, context.array(found.subject))


def _named(context: Context, node: cst.BaseExpression, array: Array | None) -> Size:
    """The axis that a name has the size of, when one axis alone has that size."""
    value = context.value(node)
    dim = value.dim if isinstance(value, Scalar) else None
    places = [at for at, size in enumerate(array.shape or ()) if size == dim] if array is not None and dim else []
    return (places[0],) if len(places) == 1 else None


def _moved(sizes: Sequence[Size], rank: int | None) -> str | None:
    """What the new shape has in another order than the array; None when all may be in place.

    A single size that is put before the last one, and none more than there were, shifts rows: relative positions do.
    """
    before, between = -1, False
    for place, size in enumerate(sizes):
        for axis in sorted(size or ()):
            shifts = len(sizes) == rank == place + 1
            if axis < before:
                return f"axis {axis} comes before axis {before}"
            if axis == before:
                return None
            if between and axis == before + 1 and not shifts:
                return (
                    f"nothing comes before axis {axis}" if axis == 0 else f"nothing is between axes {before} and {axis}"
                )
            before, between = axis, False
        between = between or size is None
    return None
