from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Array, Function, as_array
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

_POOLED = frozenset({"submit", "map", "run_in_executor"})
_EVALUATING = frozenset(
    {"mlx.core.eval", "mlx.core.array.item", "mlx.core.array.tolist", "mlx.core.async_eval", "numpy.array"}
)


class LazyArrayCrossesThread(Rule):
    """An array is recorded in one thread and evaluated in another

    ## What it does
    Finds functions run by a thread pool that return an MLX array and evaluate nothing, and `threading.Thread` with
    arrays among its `args` that were never evaluated.

    ## PyTorch and MLX
    A tensor holds its numbers and may go anywhere. An MLX array that is not evaluated belongs to the stream on which
    its operations were recorded, and since MLX 0.32 streams belong to their thread: evaluating it in another one raises
    `RuntimeError: There is no Stream(...) in current thread`. Evaluate it where it is made.

    ## Example
    ```python
    from concurrent.futures import ThreadPoolExecutor

    import mlx.core as mx


    def noise(seed):
        return mx.random.normal((2, 3), key=mx.random.key(seed)) * 0.5


    with ThreadPoolExecutor() as pool:
        samples = [made.tolist() for made in pool.map(noise, [1, 2])]
    ```

    ## Use instead
    ```python
    from concurrent.futures import ThreadPoolExecutor

    import mlx.core as mx


    def noise(seed):
        made = mx.random.normal((2, 3), key=mx.random.key(seed)) * 0.5
        mx.eval(made)
        return made


    with ThreadPoolExecutor() as pool:
        samples = [made.tolist() for made in pool.map(noise, [1, 2])]
    ```

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    - [Using streams](https://ml-explore.github.io/mlx/build/html/usage/using_streams.html)
    """

    code = "MLX605"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "`{function}` returns an array that its thread has not evaluated: another thread cannot"
    calls = frozenset({"Thread", *("." + name for name in _POOLED)})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in _POOLED:
            self._check_pool(node, context)
        elif context.callee(node) == "threading.Thread":
            self._check_thread(node, context)

    def _check_pool(self, node: cst.Call, context: Context) -> None:
        assert isinstance(node.func, cst.Attribute)
        position = 1 if node.func.attr.value == "run_in_executor" else 0
        if len(node.args) <= position or not context.frameworks & {"concurrent", "asyncio"}:
            return
        work = node.args[position].value
        function = context.value(work)
        if isinstance(function, Function) and _gives_lazy(function.code, context):
            context.report(self, node, confidence=Confidence.LIKELY, function=context.brief(work))

    def _check_thread(self, node: cst.Call, context: Context) -> None:
        given = context.argument(node, 3, "args")
        if not isinstance(given, (cst.Tuple, cst.List)):
            return
        for element in given.elements:
            if _is_recorded(as_array(context.value(element.value))) and not _is_evaluated(element.value, node, context):
                context.report(
                    self, element.value, template="`{array}` is not evaluated, and the new thread cannot do it",
                    confidence=Confidence.LIKELY, array=context.brief(element.value),
                )  # fmt: skip
                return

    @staticmethod
    def repro() -> Evidence:
        from concurrent.futures import ThreadPoolExecutor

        import mlx.core as mx

        def work(evaluate: bool) -> mx.array:
            made = mx.ones((3,)) * 2
            if evaluate:
                mx.eval(made)
            return made

        with ThreadPoolExecutor(1) as pool:
            hazard = raises(lambda: pool.submit(work, False).result(), RuntimeError, text="thread")
            numbers = pool.submit(work, True).result().tolist()
        return Evidence(hazard, shown(numbers == [2.0] * 3, f"evaluated in its thread: {numbers}"))


def _is_recorded(array: Array | None) -> bool:
    """Whether an array is the result of an operation, rather than something given."""
    return array is not None and (array.op or "").startswith(("mlx.", "operator."))


def _gives_lazy(code: FunctionCode, context: Context) -> bool:
    """Whether a function returns an array and nothing in it evaluates one."""
    if not isinstance(code.node, cst.FunctionDef) or code.is_generator:
        return False
    returned = [n.value for n in context.walk(code.node.body) if isinstance(n, cst.Return) and n.value is not None]
    lazy = any(_is_recorded(as_array(code.module.values.get(node, UNKNOWN))) for node in returned)
    return lazy and not any(_evaluations(code.node.body, context))


def _evaluations(body: cst.CSTNode, context: Context) -> Iterator[cst.Call]:
    for call, value, _ in context.calls(body):
        if getattr(value, "name", None) in _EVALUATING:
            yield call


def _is_evaluated(array: cst.BaseExpression, call: cst.Call, context: Context) -> bool:
    """Whether something in the function around a call is evaluated under the array's name."""
    function = context.enclosing(call, cst.FunctionDef)
    name = dotted(array)
    body: cst.CSTNode = context.tree if function is None else function.body
    return any(name in map(dotted, context.walk(evaluation)) for evaluation in _evaluations(body, context))
