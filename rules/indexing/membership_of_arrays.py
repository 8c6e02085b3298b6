from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Array, Sequence, Value, as_array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    raises,
    shown,
)
from mlxlint.rules._operations import is_repeatable, operand

IN = (cst.In, cst.NotIn)
SEARCHES = frozenset({"index", "count", "remove"})


class MembershipOfArrays(Rule):
    """`in` with arrays

    ## What it does
    Finds `value in array` for arrays of several axes (for those of one it is noted, since each element is compared in
    Python), and a search for `None` in a list of arrays: `None in grads`, `grads.index(None)`.

    ## PyTorch and MLX
    `value in tensor` asks for any equal element, of any shape, and `None == tensor` is `False`. MLX's arrays have no
    `in`: Python compares row after row, which raises `ValueError` for rows of several elements. Comparing an array with
    `None` raises `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    tokens = mx.array([[5, 7], [2, 0]])
    if 2 in tokens:
        print("ended")
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    tokens = mx.array([[5, 7], [2, 0]])
    if (tokens == 2).any():
        print("ended")
    ```

    ## Fix safety
    Safe for arrays of several axes: the fixed test is what PyTorch's is. A search for `None` becomes one by identity,
    which is safe as well.

    ## References
    - [mlx.core.any](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.any.html)
    """

    code = "MLX118"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "{problem}"
    calls = frozenset({f".{name}" for name in SEARCHES})

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) != 1 or not isinstance(node.comparisons[0].operator, IN):
            return
        searched = node.comparisons[0].comparator
        value = context.value(searched)
        array = as_array(value, optional=False)
        if array is not None:
            self._in_array(node, searched, array, context)
        elif _is_none(node.left) and _holds_arrays(value):
            problem = f"comparing an array with `None` raises: `{context.brief(node)}`"
            fix = _by_identity(node, searched, context)
            context.report(self, node, because=[searched], problem=problem, repro={"case": "none"}, fix=fix)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        searches = isinstance(node.func, cst.Attribute) and node.func.attr.value in SEARCHES
        if searches and len(node.args) == 1 and _is_none(node.args[0].value) and _holds_arrays(context.receiver(node)):
            problem = f"comparing an array with `None` raises: `{context.brief(node)}`"
            context.report(self, node, problem=problem, repro={"case": "none"})

    def _in_array(self, node: cst.Comparison, searched: cst.BaseExpression, array: Array, context: Context) -> None:
        if array.rank is None:
            return
        text = context.brief(searched)
        if array.rank > 1 and array.shape is not None and array.shape[1:] != (1,) * (array.rank - 1):
            problem = f"`{text}` has {array.rank} axes: Python compares its rows, which are neither true nor false"
            case, severity = "rows", Severity.ERROR
        elif array.rank == 0:
            problem, case, severity = f"`{text}` has no axes, and cannot be searched", "number", Severity.ERROR
        else:
            problem = f"`{context.brief(node)}` compares each element in Python"
            case, severity = "elements", Severity.INFO
        context.report(
            self, node, because=[searched], severity=severity, problem=problem, repro={"case": case},
            fix=_any_equal(node, searched, context),
        )  # fmt: skip

    @staticmethod
    def repro(case: str = "rows") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1.0, 2.0], [3.0, 4.0]])
        remedy = agrees((x == 4.0).any(), True)
        if case == "none":
            grads = [x, x]
            hazard = raises(lambda: mx.array(None in grads), TypeError)
            return Evidence(hazard, agrees(any(g is None for g in grads), False))
        if case == "elements":
            import time

            long = mx.zeros((2000,))
            mx.eval(long)
            start = time.perf_counter()
            _ = 1.0 in long
            slow = time.perf_counter() - start
            start = time.perf_counter()
            bool((long == 1.0).any())
            fast = time.perf_counter() - start
            return Evidence(shown(slow > 5 * fast, f"in: {slow * 1e3:.1f} ms, any: {fast * 1e3:.2f} ms"), remedy)
        searched = x if case == "rows" else mx.array(1.0)
        return Evidence(raises(lambda: mx.array(4.0 in searched), ValueError, TypeError), remedy)


def _is_none(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"


def _holds_arrays(value: Value) -> bool:
    """Whether all elements of a list or tuple are arrays, as far as is known, and there surely are some."""
    if not isinstance(value, Sequence) or value.kind not in ("list", "tuple"):
        return False
    items = value.items if value.items is not None else (value.element,)
    return bool(items) and all(isinstance(item, Array) and item.confidence == CERTAIN for item in items)


def _any_equal(node: cst.Comparison, searched: cst.BaseExpression, context: Context) -> NodeFix:
    found = f"({operand(searched, context)} == {operand(node.left, context)}).any()"
    absent = isinstance(node.comparisons[0].operator, cst.NotIn)
    return NodeFix("Compare elementwise", [Replace(node, f"(not {found})" if absent else found)])


def _by_identity(node: cst.Comparison, searched: cst.BaseExpression, context: Context) -> NodeFix | None:
    if not is_repeatable(searched):
        return None
    absent = isinstance(node.comparisons[0].operator, cst.NotIn)
    text = f"{'all' if absent else 'any'}(each is {'not ' if absent else ''}None for each in {context.text(searched)})"
    return NodeFix("Search by identity", [Replace(node, text)], Applicability.SAFE)
