from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import shapes
from mlxlint.model.values import Array, Const
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, operation

GATHER = frozenset({"take_along_axis"})


class BroadcastGatherIndex(Rule):
    """Gathering with an index that is shorter than the array

    ## What it does
    Finds `mx.take_along_axis(x, index, axis)` where `index` is known to have size 1 along another axis and `x` to be
    longer there.

    ## PyTorch and MLX
    `torch.gather` reads as many rows as the index has. `mx.take_along_axis` broadcasts the index over all of `x`. It is
    noted as information, since the broadcasting is often wanted; in a port it is a warning.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.arange(12).reshape(3, 4)
    first = mx.take_along_axis(x, mx.array([[1, 2]]), axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.arange(12).reshape(3, 4)
    first = mx.take_along_axis(x[:1], mx.array([[1, 2]]), axis=1)
    ```

    ## References
    - [take_along_axis](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.take_along_axis.html)
    """

    code = "MLX121"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "the index has size 1 along axis {axis} and is broadcast to {size}: `torch.gather` reads one"
    calls = GATHER

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, GATHER)
        if found is None or found.starred:
            return
        index = found.argument(0, "indices")
        array, at = context.array(found.subject), context.array(index)
        if array is None or at is None or index is None:
            return
        longer = _broadcast(found, array, at, context)
        if longer is not None:
            axis, size = longer
            context.report_default(self, node, because=[found.subject, index], axis=axis, size=size)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, index = mx.arange(12).reshape(3, 4), mx.array([[1, 2]])
        hazard = differs(mx.take_along_axis(x, index, axis=1), [[1, 2]])
        return Evidence(hazard, agrees(mx.take_along_axis(x[:1], index, axis=1), [[1, 2]]))


def _broadcast(found: Operation, array: Array, index: Array, context: Context) -> tuple[int, int] | None:
    """The first axis along which the index is broadcast, and the array's size there."""
    if array.shape is None or index.shape is None or len(array.shape) != len(index.shape):
        return None
    given = found.argument(1, "axis")
    gathered = shapes.axes(Const(-1) if given is None else context.value(given), len(array.shape))
    if gathered is None or len(gathered) != 1:
        return None
    for axis, (size, taken) in enumerate(zip(array.shape, index.shape)):
        if axis != gathered[0] and taken == 1 and isinstance(size, int) and size > 1:
            return axis, size
    return None
