from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operation, produced_by

AS_STRIDED = frozenset({"as_strided"})
TURNED = ("transpose", "swapaxes", "moveaxis", "permute_dims", "T", "mT")
KEEPING = "mlx.core.array.__getitem__"


class StridesOfACopy(Rule):
    """`as_strided` of a transposed or strided array

    ## What it does
    Finds `mx.as_strided` applied to the result of a transpose, or to a slice with a step.

    ## PyTorch and MLX
    PyTorch's strides count elements of the storage, whichever way the tensor is turned. MLX counts in a row-contiguous
    copy of the array that it is given: after a transpose the same strides pick other elements.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.arange(6.0).reshape(2, 3)
    y = mx.as_strided(x.T, (2, 2), (1, 2))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.arange(6.0).reshape(2, 3)
    y = mx.as_strided(x, (2, 2), (1, 2))
    ```

    ## References
    - [mlx.core.as_strided](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.as_strided.html)
    """

    code = "MLX120"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`mx.as_strided` counts in a row-contiguous copy of `{array}`, PyTorch in the storage below it"
    calls = AS_STRIDED

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, AS_STRIDED)
        array = None if found is None else context.array(found.subject)
        if found is not None and array is not None and _is_turned(array):
            context.report(self, node, because=[found.subject], array=context.brief(found.subject))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(6.0).reshape(2, 3)
        expected = [[0.0, 2.0], [1.0, 3.0]]
        return Evidence(
            differs(mx.as_strided(x.T, (2, 2), (1, 2)), expected), agrees(mx.as_strided(x, (2, 2), (1, 2)), expected)
        )


def _is_turned(array: Array) -> bool:
    if produced_by(array, *TURNED):
        return array.rank != 1
    node = array.node
    return array.op == KEEPING and isinstance(node, cst.Subscript) and any(map(_has_step, node.slice))


def _has_step(element: cst.SubscriptElement) -> bool:
    return isinstance(element.slice, cst.Slice) and element.slice.step is not None
