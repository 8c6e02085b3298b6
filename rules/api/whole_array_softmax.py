from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import CERTAIN, LIKELY, Array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._operations import is_same, operation
from mlxlint.rules._shared import with_keyword

SOFTMAX = frozenset({"softmax"})
LOGSUMEXP = frozenset({"logsumexp"})
_ORDERS = frozenset({"argsort", "argpartition"})


class WholeArraySoftmax(Rule):
    """`mx.softmax` without an axis

    ## What it does
    Finds `mx.softmax(x)` without `axis` where `x` is not known to have a single axis. Where nothing
    says that it has more, this is information. So is `x - mx.logsumexp(x)`, which is right for a single row.

    ## PyTorch and MLX
    `torch.softmax` demands a dimension, and modules such as `nn.Softmax` are used with the last. `mx.softmax`
    without an axis normalises over the whole array: all entries sum to one instead of each row. `mlx.nn.softmax`
    takes the last axis.

    ## Example
    ```python
    import mlx.core as mx

    weights = mx.softmax(mx.random.normal((4, 16)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    weights = mx.softmax(mx.random.normal((4, 16)), axis=-1)
    ```

    ## Fix safety
    Unsafe: the last axis is the likely one, not the certain one.

    ## References
    - [mlx.core.softmax](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.softmax.html)
    """

    code = "MLX456"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`mx.{function}` without `axis` normalises over the whole array, not over each row"
    calls = SOFTMAX
    operators = frozenset({cst.Subtract})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        call = node.right
        if not isinstance(call, cst.Call):
            return
        found = operation(call, context, LOGSUMEXP)
        if found is None or found.starred or found.argument(0, "axis", "dim") is not None:
            return
        array = context.array(node.left)
        shape = array.shape if array is not None else None
        if (shape is not None and len(shape) < 2) or not is_same(found.subject, node.left, context):
            return
        several = shape is not None and isinstance(shape[0], int) and shape[0] > 1
        context.report(
            self, call, because=[node.left], confidence=CERTAIN if several else LIKELY,
            severity=Severity.WARNING if several else Severity.INFO, function="logsumexp", fix=_by_row(call, context),
            repro={"function": "logsumexp"},
        )  # fmt: skip

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, SOFTMAX)
        if found is None or found.starred or found.argument(0, "axis", "dim") is not None:  # PyTorch's name
            return
        array = context.array(found.subject)
        rank = None if array is None else array.rank
        if rank in (0, 1):
            return
        fix = NodeFix("Normalise over the last axis", [with_keyword(node, "axis=-1", context)], Applicability.UNSAFE)
        if rank is None and _is_ordered(found.subject, context):
            return
        severity = Severity.WARNING if rank or _is_of_rows(found.subject, array, context) else Severity.INFO
        context.report(
            self, node, because=[found.subject], confidence=CERTAIN if rank else LIKELY, severity=severity, fix=fix,
            function="softmax",
        )  # fmt: skip

    @staticmethod
    def repro(function: str = "softmax") -> Evidence:
        import mlx.core as mx

        x = mx.zeros((2, 2))
        if function == "logsumexp":
            wrong, right = mx.exp(x - mx.logsumexp(x)), mx.exp(x - mx.logsumexp(x, axis=-1, keepdims=True))
            return Evidence(differs(wrong, [[0.5, 0.5]] * 2), agrees(right, [[0.5, 0.5]] * 2))
        return Evidence(differs(mx.softmax(x), [[0.5, 0.5]] * 2), agrees(mx.softmax(x, axis=-1), [[0.5, 0.5]] * 2))


def _is_ordered(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an array's elements are put in order in the same function, as a vector's are: ``argsort(x)[::-1]``."""
    name, code = dotted(node), context.enclosing_function(node)
    if name is None or code is None:
        return False
    for part in context.nodes(code.node.body, cst.Subscript):
        found = operation(part.value, context, _ORDERS) if isinstance(part.value, cst.Call) else None
        sliced = len(part.slice) == 1 and isinstance(part.slice[0].slice, cst.Slice)
        if found is not None and sliced and name in [dotted(each) for each in walk(found.subject)]:
            return True
    return False


def _by_row(call: cst.Call, context: Context) -> NodeFix:
    kept = any(arg.keyword is not None and arg.keyword.value == "keepdims" for arg in call.args)
    edit = with_keyword(call, "axis=-1" if kept else "axis=-1, keepdims=True", context)
    return NodeFix("Normalise over the last axis", [edit], Applicability.UNSAFE)


def _is_of_rows(node: cst.BaseExpression, array: Array | None, context: Context) -> bool:
    """Whether an array of unknown rank surely has rows: a matrix product, a layer's output, logits by name."""
    if "logits" in (dotted(node) or ""):
        return True
    if array is None or array.op is None:
        return False
    made = array.node
    if isinstance(made, cst.BinaryOperation) and isinstance(made.operator, (cst.Multiply, cst.Divide, cst.Add)):
        return _is_of_rows(made.left, context.array(made.left), context)
    return array.op in ("operator.@", "mlx.core.matmul", "mlx.core.einsum") or array.op.startswith("mlx.nn.")
