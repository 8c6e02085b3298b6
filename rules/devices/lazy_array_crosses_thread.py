from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Array, Function, as_array
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from ..lazy._captured import free_paths

_POOLED = frozenset({"submit", "map", "run_in_executor"})
_HANDING = frozenset({"put", "put_nowait", "append", "set_result"})
_EVALUATING = frozenset(
    {"mlx.core.eval", "mlx.core.array.item", "mlx.core.array.tolist", "mlx.core.async_eval", "numpy.array"}
)
HANDED = "`{array}` is not evaluated in the thread that makes it: the one that it is handed to cannot"


class LazyArrayCrossesThread(Rule):
    """An array is recorded in one thread and evaluated in another

    ## What it does
    Finds functions run by a thread pool that return an MLX array and evaluate nothing, functions run by
    `threading.Thread` that put such an array into a queue or a list, threads with arrays among their `args` that were
    never evaluated, and functions run in another thread that evaluate an array recorded around them.

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
            self._check_work(node, context)

    def _check_pool(self, node: cst.Call, context: Context) -> None:
        assert isinstance(node.func, cst.Attribute)
        position = 1 if node.func.attr.value == "run_in_executor" else 0
        if len(node.args) <= position or not context.frameworks & {"concurrent", "asyncio"}:
            return
        work = node.args[position].value
        function = context.value(work)
        if isinstance(function, Function) and _gives_lazy(function.code, context):
            context.report(self, node, confidence=Confidence.LIKELY, function=context.brief(work))
        else:
            self._check_captured(work, node, context)

    def _check_captured(self, work: cst.BaseExpression, node: cst.Call, context: Context) -> None:
        """That a function evaluates no array that was recorded around it."""
        function = context.value(work)
        code = function.code if isinstance(function, Function) else None
        if code is None or code.module is not context.module or not any(_evaluations(code.node.body, context)):
            return
        here = context.enclosing_function(node)
        for name in _free_names(code, context):
            made = _bound_in(here, name.value, context)
            lazy = made is not None and _is_recorded(as_array(context.value(made)))
            if lazy and not _is_evaluated(name, node, context):
                context.report(
                    self, work, template="`{array}` is not evaluated, and the new thread cannot do it",
                    because=[("it is recorded here", made)] if made is not None else [],
                    confidence=Confidence.LIKELY, array=name.value,
                )  # fmt: skip
                return

    def _check_thread(self, node: cst.Call, context: Context) -> None:
        target = context.argument(node, 1, "target")
        if target is not None:
            self._check_captured(target, node, context)
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

    def _check_work(self, node: cst.Call, context: Context) -> None:
        """What a thread of its own hands over to others, by name."""
        work = context.value(context.argument(node, 1, "target"))
        if not isinstance(work, Function) or work.code.module is not context.module:
            return
        body = work.code.node.body
        if any(_evaluations(body, context)):
            return
        made = {
            target.value: assign.value
            for assign in context.nodes(body, cst.Assign)
            if isinstance(target := assign.targets[0].target, cst.Name) and _is_lazy(assign.value, context)
        }
        for call in context.nodes(body, cst.Call):
            if made and isinstance(call.func, cst.Attribute) and call.func.attr.value in _HANDING and call.args:
                given = call.args[0].value
                parts = [e.value for e in given.elements] if isinstance(given, cst.Tuple) else [given]
                for part in parts:
                    if isinstance(part, cst.Name) and part.value in made:
                        context.report(
                            self, made.pop(part.value), because=[("it is handed to another thread here", call)],
                            template=HANDED, confidence=Confidence.LIKELY, array=part.value,
                        )  # fmt: skip

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
    op = "" if array is None else array.op or ""
    return op.startswith(("mlx.", "operator.")) and op != "mlx.core.array"  # which holds its numbers


def _free_names(code: FunctionCode, context: Context) -> list[cst.Name]:
    """The names that a function reads from the function around it."""
    free = {path for path in free_paths(code) if "." not in path}
    return [name for name in context.nodes(code.node.body, cst.Name) if name.value in free]


def _bound_in(code: FunctionCode | None, name: str, context: Context) -> cst.BaseExpression | None:
    """What a name is bound to in a function; None when that is not one assignment."""
    bindings = context.nodes(code.node.body, cst.Assign) if code is not None else ()
    bound = [binding.value for binding in bindings if dotted(binding.targets[0].target) == name]
    return bound[0] if len(bound) == 1 else None


def _is_lazy(made: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is an array that is only recorded, or a call of a function that returns such, mostly."""
    if _is_recorded(as_array(context.value(made))):
        return True
    called = context.called(made) if isinstance(made, cst.Call) else UNKNOWN
    return isinstance(called, Function) and _gives_lazy(called.code, context)


def _gives_lazy(code: FunctionCode, context: Context) -> bool:
    """Whether a function returns an array and nothing in it evaluates one."""
    if not isinstance(code.node, cst.FunctionDef) or code.is_generator:
        return False
    body, values = code.node.body, code.module.values
    returned = [n.value for n in context.walk(body) if isinstance(n, cst.Return) and n.value is not None]
    names = {node.value for node in returned if isinstance(node, cst.Name)}
    for assign in (n for n in context.walk(body) if isinstance(n, cst.Assign)):
        target = assign.targets[0].target
        if isinstance(target, cst.Name) and target.value in names:
            returned.append(assign.value)
    lazy = any(_is_recorded(as_array(values.get(node, UNKNOWN))) for node in returned)
    return lazy and not any(_evaluations(body, context))


def _evaluations(body: cst.CSTNode, context: Context) -> Iterator[cst.Call]:
    for call, value, _ in context.calls(body):
        method = call.func.attr.value if value is UNKNOWN and isinstance(call.func, cst.Attribute) else None
        if getattr(value, "name", None) in _EVALUATING or method in ("item", "tolist"):
            yield call


def _is_evaluated(array: cst.BaseExpression, call: cst.Call, context: Context) -> bool:
    """Whether something in the function around a call is evaluated under the array's name."""
    function = context.enclosing(call, cst.FunctionDef)
    name = dotted(array)
    body: cst.CSTNode = context.tree if function is None else function.body
    return any(name in map(dotted, context.walk(evaluation)) for evaluation in _evaluations(body, context))
