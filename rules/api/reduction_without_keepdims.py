from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import shapes
from mlxlint.model.values import Array, constant
from mlxlint.rule import Applicability, Confidence, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, is_same, operation
from mlxlint.rules._shared import with_keyword

AXIS = {  # where a reduction takes its axis, its subject not counted; `keepdims` comes next
    "logsumexp": 0, "sum": 0, "mean": 0, "max": 0, "min": 0, "var": 0, "std": 0, "median": 0, "linalg.norm": 1,
}  # fmt: skip
NAMES = frozenset(AXIS)
KEEPING = ("mlx.core.maximum", "mlx.core.clip", "mlx.core.sqrt")


class ReductionWithoutKeepdims(Rule):
    """Normalising by a reduction that lost its axis

    ## What it does
    Finds arrays from which their own `logsumexp`, `mean` or `max` along an axis is subtracted, or that are divided by
    their own `sum`, `std` or `linalg.norm` along one, without `keepdims=True`. The first axes may be left out.

    ## PyTorch and MLX
    What PyTorch has functions for, such as `log_softmax` and `F.normalize`, is often written out in MLX. Without
    `keepdims=True` the reduced axis is gone, and the result is laid along the last axis: each column is normalised by
    another row's number. It raises where the sizes differ, and is right for a batch of one.

    ## Example
    ```python
    import mlx.core as mx

    logits = mx.random.normal((4, 4))
    logprobs = logits - mx.logsumexp(logits, axis=-1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    logits = mx.random.normal((4, 4))
    logprobs = logits - mx.logsumexp(logits, axis=-1, keepdims=True)
    ```

    ## Fix safety
    The fix adds `keepdims=True`. It is unsafe: what is computed changes.

    ## References
    - [mlx.core.logsumexp](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.logsumexp.html)
    """

    code = "MLX498"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{reduction}` has lost its axis: beside `{array}` it is laid along the last one"
    operators = frozenset({cst.Subtract, cst.Divide})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        call = _reduction(node.right, context)
        found = None if call is None else operation(call, context, NAMES)
        if call is None or found is None or found.starred:
            return
        array = _whole(node.left, found, context)
        if array is not None and _is_misplaced(found, array, context):
            context.report(
                self, node, because=[call], confidence=Confidence.LIKELY, reduction=context.brief(call),
                array=context.brief(found.subject), fix=_fix(call, node, context), repro={"operation": found.name},
            )  # fmt: skip

    @staticmethod
    def repro(operation: str = "logsumexp") -> Evidence:
        import mlx.core as mx

        function = mx.linalg.norm if operation == "linalg.norm" else getattr(mx, operation)
        x = mx.array([[1.0, 3.0], [6.0, 2.0]])
        expected = [(row - function(row)).tolist() for row in x]
        hazard = differs(x - function(x, axis=-1), expected)
        return Evidence(hazard, agrees(x - function(x, axis=-1, keepdims=True), expected))


def _reduction(node: cst.BaseExpression, context: Context) -> cst.Call | None:
    """The reduction behind what is subtracted or divided by: ``mx.maximum(norm, eps)``, ``total + eps``."""
    if isinstance(node, cst.BinaryOperation):
        return _reduction(node.left, context) if isinstance(node.operator, cst.Add) else None
    made = getattr(context.array(node), "node", None) if isinstance(node, cst.Name) else node
    if isinstance(made, cst.BinaryOperation):
        return _reduction(made, context)
    if isinstance(made, cst.Call) and context.callee(made) in KEEPING and made.args:
        return _reduction(made.args[0].value, context)
    return made if isinstance(made, cst.Call) else None


def _whole(node: cst.BaseExpression, found: Operation, context: Context) -> Array | None:
    """The array that was reduced, where it is what stands to the left, itself or less its mean."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Subtract):
        return _whole(node.left, found, context)
    return context.array(node) if is_same(node, found.subject, context) else None


def _is_misplaced(found: Operation, array: Array, context: Context) -> bool:
    """Whether axes that stand before a reduced one are kept: the result does not fit to the last ones by itself."""
    place = AXIS[found.name]
    axis, keepdims = found.argument(place, "axis"), found.argument(place + 1, "keepdims", "keepdim")
    if axis is None or (keepdims is not None and constant(context.value(keepdims), bool) is not False):
        return False
    if array.shape is None:
        given = constant(context.value(axis), int)
        return isinstance(given, int) and (given == -1 or given > 0)
    reduced = shapes.axes(context.value(axis), len(array.shape))
    before = array.shape[: max(reduced)] if reduced else ()
    return any(at not in (reduced or ()) and size != 1 for at, size in enumerate(before))


def _fix(call: cst.Call, node: cst.BinaryOperation, context: Context) -> NodeFix | None:
    """Keep the axis, where the reduction is written for this alone."""
    inside = any(part is call for part in context.nodes(node.right, cst.Call)) or call is node.right
    if not inside or any(arg.keyword is not None and arg.keyword.value == "keepdims" for arg in call.args):
        return None
    return NodeFix("Keep the axis", [with_keyword(call, "keepdims=True", context)], Applicability.UNSAFE)
