from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import UNKNOWN, Function, Instance, Name, Partial, Value, arrays, as_array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    shown,
)

from ..training._gradients import is_module
from ..training._step import MODEL_LIKE, Body, forced, holds_arrays
from ._statements import blocks_before

CLOCKS = frozenset(
    f"time.{name}"
    for name in "time time_ns perf_counter perf_counter_ns monotonic monotonic_ns process_time process_time_ns".split()
)


class ClockStoppedEarly(Rule):
    """The clock is stopped before anything was computed

    ## What it does
    Finds two readings of a clock in one function with MLX computations between them and nothing that waits for
    their results: no `mx.eval`, no `item()`, no conversion. `mx.synchronize()` alone and `mx.async_eval` alone do
    not count.

    ## PyTorch and MLX
    PyTorch computes when it is called; on a GPU `torch.cuda.synchronize()` waits for it. MLX has only recorded the
    work when the call returns. `mx.synchronize()` waits for what was submitted, and nothing was; `mx.async_eval`
    submits and does not wait. The time measured is that of building a graph.

    ## Example
    ```python
    import time

    import mlx.core as mx

    x = mx.ones((1024, 1024))
    start = time.perf_counter()
    y = x @ x
    seconds = time.perf_counter() - start
    ```

    ## Use instead
    ```python
    import time

    import mlx.core as mx

    x = mx.ones((1024, 1024))
    mx.eval(x)
    start = time.perf_counter()
    y = x @ x
    mx.eval(y)
    seconds = time.perf_counter() - start
    ```

    ## Fix safety
    What was recorded last is evaluated where it is bound. It is unsafe: other results may be meant to be timed too.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX504"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "the clock is read before `{work}` was computed{but}: the time is that of building the graph"
    operators = frozenset({cst.Subtract})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        start = tree.dotted(node.right)
        end = _end(node.left, context) if start is not None else None
        between = [] if start is None or end is None else _between(start, end, context)
        bodies = [context.shared(Body, statement) for statement in between]
        work = next((call for body in bodies for call in _work(body, context)), None)
        if work is None:
            return
        calls = [found for body in bodies for found in body.calls]
        named = {called.name for _, called, _ in calls if isinstance(called, Name)}
        waits = any(
            forced(call, called, module) and not (isinstance(called, Name) and called.name == "mlx.core.async_eval")
            for call, called, module in calls
        )
        submitted = "mlx.core.async_eval" in named
        if waits or (submitted and "mlx.core.synchronize" in named) or any(body.reads() for body in bodies):
            return
        but = (
            ": `mx.async_eval` does not wait"
            if submitted
            else ", and `mx.synchronize` computes nothing"
            if "mlx.core.synchronize" in named
            else ""
        )
        last = [call for body in bodies for call in _work(body, context)][-1]
        because = [("this is only recorded", work)]
        context.report(self, node, because=because, work=context.brief(work), but=but, fix=_fix(last, context))

    @staticmethod
    def repro(size: int = 1024) -> Evidence:
        import time

        import mlx.core as mx

        x = mx.random.normal((size, size))
        mx.eval(x)
        start = time.perf_counter()
        y = x @ x @ x
        mx.synchronize()
        recorded = time.perf_counter() - start
        start = time.perf_counter()
        mx.eval(y)
        computed = time.perf_counter() - start
        return Evidence(
            shown(recorded < computed / 3, f"{recorded * 1e3:.3f} ms before evaluation"),
            shown(computed > 0, f"{computed * 1e3:.3f} ms with it"),
        )


def _end(node: cst.BaseExpression, context: Context) -> cst.CSTNode | None:
    """Where the clock is read that a time is subtracted from: there, or where the name was bound."""
    if isinstance(node, cst.Call):
        return node if context.callee(node) in CLOCKS else None
    name = tree.dotted(node)
    if name is None:
        return None
    for statements in blocks_before(node, context):
        for statement in reversed(statements):
            if _reading(statement, name, context):
                return statement
    return None


def _reading(statement: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a statement is ``name = time.perf_counter()``."""
    if (
        not isinstance(statement, cst.Assign)
        or not isinstance(statement.value, cst.Call)
        or context.callee(statement.value) not in CLOCKS
    ):
        return False
    return any(tree.dotted(target.target) == name for target in statement.targets)


def _between(name: str, node: cst.CSTNode, context: Context) -> list[cst.CSTNode]:
    """The statements between ``name = clock()`` and the one that reads the clock again."""
    inner: list[cst.CSTNode] = []
    for statements in blocks_before(node, context):
        starts = [i for i, statement in enumerate(statements) if _reading(statement, name, context)]
        if starts:
            return statements[starts[-1] + 1 :] + inner
        inner = statements + inner
    return []


def _work(body: Body, context: Context) -> list[cst.BaseExpression]:
    """The expressions in a statement that compute arrays."""
    return [
        node for node in body.nodes if isinstance(node, (cst.Call, cst.BinaryOperation)) and _is_work(node, context)
    ]


def _is_work(node: cst.Call | cst.BinaryOperation, context: Context) -> bool:
    array = holds_arrays(context.value(node)) and not _is_made(context.value(node))
    if isinstance(node, cst.BinaryOperation):
        return array
    return (array and _computes(context.called(node))) or _is_likely_model(node, context)


def _is_made(value: Value) -> bool:
    """Whether an array is made of data of Python's or NumPy's, which is done at once."""
    return any(member.op == "mlx.core.array" for member in arrays(value))


def _is_likely_model(node: cst.Call, context: Context) -> bool:
    """Whether something that is called like a model is given an array."""
    name = (
        node.func.value
        if isinstance(node.func, cst.Name)
        else node.func.attr.value
        if isinstance(node.func, cst.Attribute)
        else ""
    )
    called = context.called(node)
    if isinstance(called, Instance) and is_module(called):
        return True
    if called is not UNKNOWN or not MODEL_LIKE.search(str(name)):
        return False
    return any(as_array(context.value(arg.value)) is not None for arg in node.args)


def _computes(called: Value) -> bool:
    if isinstance(called, Name):
        return called.name.startswith("mlx.") and called.name not in (
            "mlx.core.array",
            "mlx.core.zeros",
            "mlx.core.ones",
        )
    return isinstance(called, (Function, Partial)) or (isinstance(called, Instance) and is_module(called))


def _fix(work: cst.BaseExpression, context: Context) -> NodeFix | None:
    """Evaluate a result where it is bound to a name, or where it is thrown away."""
    mx, statement = context.alias("mlx.core"), context.parent(work)
    name = tree.dotted(statement.targets[0].target) if isinstance(statement, cst.Assign) else None
    if mx is None:
        return None
    if isinstance(statement, cst.Expr):
        edit: NodeEdit = Replace(work, f"{mx}.eval({context.text(work)})")
    elif isinstance(statement, cst.Assign) and name is not None:
        edit = InsertStatement(statement, f"{mx}.eval({name})")
    else:
        return None
    return NodeFix("Evaluate it", [edit], Applicability.UNSAFE)
