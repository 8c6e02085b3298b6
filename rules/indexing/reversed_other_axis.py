from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, constant
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)
from mlxlint.rules._operations import Operation, operation

ORDERED = frozenset({"sort", "argsort"})

ALONG_AXIS = frozenset({"softmax", "log_softmax", "cumsum", "sort"})


class ReversedOtherAxis(Rule):
    """Sorted along one axis, turned round along the first

    ## What it does
    Finds `mx.sort(x, axis=-1)[::-1]` and the same of `argsort`, where the array has, or may have, more than one axis.

    ## PyTorch and MLX
    PyTorch sorts in descending order with `descending=True`, which MLX does not have. A slice with a negative step,
    which PyTorch refuses, stands in for it and works on the first axis: the rows change places, and each is still in
    ascending order.

    ## Example
    ```python
    import mlx.core as mx

    probs = mx.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    best_first = mx.sort(probs, axis=-1)[::-1]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    probs = mx.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    best_first = mx.sort(probs, axis=-1)[..., ::-1]
    ```

    ## Fix safety
    The fix reverses the axis that was sorted, which is meant nearly always: unsafe, as it changes the result.

    ## References
    - [mlx.core.sort](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.sort.html)
    """

    code = "MLX122"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{name}` sorts axis {axis} and `[::-1]` turns the first axis round: each row stays in ascending order"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if not isinstance(node.value, cst.Call) or not _turns_first_axis(node):
            return
        found = operation(node.value, context, ORDERED)
        axis = None if found is None else _axis(found, context)
        if found is None or axis is None or axis == 0:
            return
        array = context.array(found.subject)
        rank = None if array is None else array.rank
        if rank == 1 or (rank is not None and axis + rank == 0):
            return
        fix = NodeFix("Reverse the last axis", [Replace(node.slice[0], "..., ::-1")], Applicability.UNSAFE)
        context.report(
            self, node, because=[] if rank is None else [found.subject], name=found.name, axis=axis,
            confidence=Confidence.LIKELY if rank is None else Confidence.CERTAIN, fix=fix if axis == -1 else None,
            repro={"name": found.name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "sort") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1, 3, 2], [5, 4, 6]])
        ordered = {"sort": mx.sort, "argsort": mx.argsort}[name](x, axis=-1)
        expected = {"sort": [[3, 2, 1], [6, 5, 4]], "argsort": [[1, 2, 0], [2, 0, 1]]}[name]
        return Evidence(differs(ordered[::-1], expected), agrees(ordered[..., ::-1], expected))


def _turns_first_axis(node: cst.Subscript) -> bool:
    part = node.slice[0].slice
    if len(node.slice) != 1 or not isinstance(part, cst.Slice) or part.lower is not None or part.upper is not None:
        return False
    step = part.step
    return (
        isinstance(step, cst.UnaryOperation)
        and isinstance(step.operator, cst.Minus)
        and isinstance(step.expression, cst.Integer)
    )


def _axis(found: Operation, context: Context) -> int | None:
    """The axis stated; the last, which is sorted without one, says nothing of there being others."""
    stated = found.argument(0, "axis")
    axis: int | None = None if stated is None else constant(context.value(stated), int)
    if stated is None and not found.starred:
        array = context.array(found.subject)
        rows = array is not None and (array.rank is not None or _is_by_row(array, context))
        return -1 if rows else None
    return axis


def _is_by_row(array: Array, context: Context) -> bool:
    """Whether an array was made along its last axis, so called, and kept it: there are others."""
    made = array.node if (array.op or "").rpartition(".")[2] in ALONG_AXIS else None
    axis = context.argument(made, None, "axis") if isinstance(made, cst.Call) else None
    return axis is not None and constant(context.value(axis), int) == -1
