from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array, Const, constant
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
    raises,
)
from mlxlint.rules._operations import operation, produced_by
from mlxlint.rules._shared import with_keyword
from mlxlint.rules.indexing._later import bindings_above

LONGEST = 6  # steps followed back from the logits
JOINS = frozenset({"concatenate", "concat"})


class SampleWithoutAxis(Rule):
    """The samples of `mx.random.categorical` used as a column

    ## What it does
    Finds the result of `mx.random.categorical(logits)` joined to sequences along their second axis, or compared with a
    column `(batch, 1)`.

    ## PyTorch and MLX
    `torch.multinomial(p, 1)` returns (batch, 1), which `torch.cat` takes. `mx.random.categorical` returns (batch,):
    joining raises, and beside a column it is broadcast to (batch, batch), silently. With `num_samples=1` the axis is
    kept.

    ## Example
    ```python
    import mlx.core as mx

    tokens, logits = mx.zeros((3, 7), dtype=mx.int32), mx.zeros((3, 50))
    following = mx.random.categorical(logits)
    tokens = mx.concatenate([tokens, following], axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    tokens, logits = mx.zeros((3, 7), dtype=mx.int32), mx.zeros((3, 50))
    following = mx.random.categorical(logits, num_samples=1)
    tokens = mx.concatenate([tokens, following], axis=1)
    ```

    ## Fix safety
    Unsafe: other uses of the samples may want one axis.

    ## References
    - [categorical](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.categorical.html)
    """

    code = "MLX430"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{samples}` has no axis for the samples: {problem}"
    calls = JOINS

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, JOINS)
        if found is None or found.starred or not isinstance(found.subject, (cst.List, cst.Tuple)):
            return
        axis = constant(context.value(found.argument(0, "axis")), int)
        if axis not in (1, -1):
            return
        items = [element.value for element in found.subject.elements]
        ranks = [getattr(context.array(item), "rank", None) for item in items]
        for item, rank in zip(items, ranks):
            drawn = _drawn(item, context)
            if drawn is None or rank not in (1, None) or (axis == -1 and 2 not in ranks):
                continue
            if rank == 1 or 2 in ranks or _is_of_one_position(drawn.args[0].value, context):
                self._report(node, item, drawn, "joining it along axis 1 raises", "joined", context)

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) == 1:
            self._beside(node, node.left, node.comparisons[0].comparator, context)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._beside(node, node.left, node.right, context)

    def _beside(
        self, node: cst.BaseExpression, left: cst.BaseExpression, right: cst.BaseExpression, context: Context
    ) -> None:
        for side, other in ((left, right), (right, left)):
            drawn, column = _drawn(side, context), context.array(other)
            shape = None if column is None else column.shape
            if drawn is None or shape is None or len(shape) != 2 or shape[1] != 1 or shape[0] == 1:
                continue
            array = context.array(side)
            if array is not None and array.rank in (None, 1) and not _is_turned(other):
                problem = f"beside the column `{context.brief(other)}` it is broadcast to a square"
                self._report(node, side, drawn, problem, "beside", context, Severity.WARNING)

    def _report(
        self, node: cst.CSTNode, samples: cst.BaseExpression, drawn: cst.Call, problem: str, case: str,
        context: Context, severity: Severity | None = None,
    ) -> None:  # fmt: skip
        known = getattr(context.array(samples), "rank", None) is not None
        edits = [with_keyword(drawn, "num_samples=1", context)] if context.parent(drawn) is not None else []
        context.report(
            self, node, because=[samples], confidence=None if known else LIKELY, severity=severity,
            samples=context.brief(samples), problem=problem, repro={"case": case},
            fix=NodeFix("Keep the axis", edits, Applicability.UNSAFE) if edits else None,
        )  # fmt: skip

    @staticmethod
    def repro(case: str = "joined") -> Evidence:
        import mlx.core as mx

        logits, column = mx.zeros((3, 5)), mx.zeros((3, 1), dtype=mx.uint32)
        drawn, kept = mx.random.categorical(logits), mx.random.categorical(logits, num_samples=1)
        remedy = agrees(mx.concatenate([column, kept], axis=1).shape[1], 2)
        if case == "beside":
            return Evidence(differs((drawn == column).size, 3, what="comparisons in MLX"), remedy)
        return Evidence(raises(lambda: mx.concatenate([column, drawn], axis=1), ValueError), remedy)


def _drawn(node: cst.BaseExpression, context: Context) -> cst.Call | None:
    """The call of ``categorical`` that an expression is the result of, where it draws one sample for each row."""
    array: Array | None = context.array(node)
    if array is None or not produced_by(array, "random.categorical") or not isinstance(array.node, cst.Call):
        return None
    given = context.arguments(array.node)
    several = given.starred or given.get(2, "shape") is not None or given.get(3, "num_samples") is not None
    axis = given.get(1, "axis")
    last = axis is None or context.value(axis.value).key() == Const(-1).key()
    return array.node if not several and last else None


def _is_of_one_position(node: cst.CSTNode | None, context: Context) -> bool:
    """Whether logits are those of one position, ``model(tokens)[:, -1, :]``, perhaps scaled."""
    for _ in range(LONGEST):
        if isinstance(node, cst.Subscript):
            return any(
                isinstance(e.slice, cst.Index) and constant(context.value(e.slice.value), int) is not None
                for e in node.slice
            )
        if isinstance(node, cst.BinaryOperation):
            node = node.left
        elif isinstance(node, cst.Name):
            node = next((b.value for b in bindings_above(node, context) if _binds(b, node.value)), None)
        else:
            return False
    return False


def _binds(statement: cst.Assign, name: str) -> bool:
    target = statement.targets[0].target
    return isinstance(target, cst.Name) and target.value == name


def _is_turned(node: cst.BaseExpression) -> bool:
    """Whether a column is made at that place, as for a table of all pairs."""
    return isinstance(node, cst.Subscript)
