from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array
from mlxlint.rule import Applicability, Confidence, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._operations import is_same, operation, produced_by
from mlxlint.rules._shared import with_keyword

NORM = frozenset({"linalg.norm"})
OFTEN_VECTORS = frozenset({"__getitem__", "matmul", "mean", "sum"})  # of unknown rank, it may well be a vector


class NormOfEverything(Rule):
    """Normalising by the norm of the whole array

    ## What it does
    Finds arrays of several axes, or of an unknown number, divided by their own `mx.linalg.norm` without `axis`. It
    is a warning in a file that speaks of PyTorch and information elsewhere.

    ## PyTorch and MLX
    `F.normalize` makes each row a unit vector. `mx.linalg.norm(x)` without an axis is one number for the whole
    array, and no row becomes a unit vector.

    ## Example
    ```python
    import mlx.core as mx

    rows = mx.random.normal((5, 3))  # F.normalize
    units = rows / mx.linalg.norm(rows)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    rows = mx.random.normal((5, 3))  # F.normalize
    units = rows / mx.linalg.norm(rows, axis=-1, keepdims=True)
    ```

    ## Fix safety
    The fix takes the norm along the last axis. It is unsafe: scaling by one number may be what is meant.

    ## References
    - [mlx.core.linalg.norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.linalg.norm.html)
    """

    code = "MLX470"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{norm}` is one number for the whole array: no row of `{array}` becomes a unit vector"
    operators = frozenset({cst.Divide})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        array, call = context.array(node.left), _norm(node.right, context)
        found = None if call is None else operation(call, context, NORM)
        if array is None or call is None or found is None or array.rank in (0, 1) or _is_single_row(array):
            return
        if array.rank is None and (produced_by(array, *OFTEN_VECTORS) or array.op in ("operator.@", "operator.*")):
            return
        given = found.argument(1, "axis", "dim") or found.argument(0, "ord")
        if given is None and is_same(found.subject, node.left, context):
            context.report_default(
                self, node, because=[node.left], confidence=Confidence.LIKELY,
                norm=context.brief(call), array=context.brief(node.left), fix=_by_row(call, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([[3.0, 4.0], [6.0, 8.0]])
        expected = [[0.6, 0.8], [0.6, 0.8]]
        return Evidence(
            differs(x / mx.linalg.norm(x), expected), agrees(x / mx.linalg.norm(x, axis=-1, keepdims=True), expected)
        )


def _is_single_row(array: Array) -> bool:
    return array.shape is not None and all(size == 1 for size in array.shape[:-1])


def _by_row(call: cst.Call, context: Context) -> NodeFix | None:
    if context.parent(call) is None:
        return None
    edit = with_keyword(call, "axis=-1, keepdims=True", context)
    return NodeFix("Take the norm of each row", [edit], Applicability.UNSAFE)


def _norm(node: cst.BaseExpression, context: Context) -> cst.Call | None:
    """The norm behind a divisor such as ``mx.maximum(norm, eps)`` or ``norm + eps``."""
    if isinstance(node, cst.BinaryOperation):
        return _norm(node.left, context)
    made = getattr(context.array(node), "node", None) if isinstance(node, cst.Name) else node
    if isinstance(made, cst.BinaryOperation):
        return _norm(made, context)
    if isinstance(made, cst.Call):
        if context.callee(made) in ("mlx.core.maximum", "mlx.core.clip"):
            return _norm(made.args[0].value, context) if made.args else None
        return made
    return None
