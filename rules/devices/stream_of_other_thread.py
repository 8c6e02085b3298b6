from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import dotted
from mlxlint.model.values import Function, Instance
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
    raises,
    shown,
)

from ..lazy._captured import free_paths, targets_of
from ._threads import STARTING, work_of

_STREAM = "mlx.core.Stream"


class StreamOfOtherThread(Rule):
    """A stream of one thread is used in another

    ## What it does
    Finds functions run by `threading.Thread` or a thread pool that use a stream made outside of them with
    `mx.new_stream` or `mx.default_stream`.

    ## PyTorch and MLX
    A CUDA stream may be used by any thread. Since MLX 0.32 a stream belongs to the thread that made it: another raises
    `RuntimeError` when it evaluates. `mx.new_thread_local_stream` is one stream for each thread.

    ## Example
    ```python
    import threading

    import mlx.core as mx

    stream = mx.new_stream(mx.cpu)


    def work():
        with mx.stream(stream):
            print((mx.ones(3) + 1).tolist())


    threading.Thread(target=work).start()
    ```

    ## Use instead
    ```python
    import threading

    import mlx.core as mx

    stream = mx.new_thread_local_stream(mx.cpu)


    def work():
        with mx.stream(stream):
            print((mx.ones(3) + 1).tolist())


    threading.Thread(target=work).start()
    ```

    ## Fix safety
    Unsafe: the stream is then another one in each thread.

    ## References
    - [Using streams](https://ml-explore.github.io/mlx/build/html/usage/using_streams.html)
    """

    code = "MLX614"
    kind = Kind.CRASH
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = STARTING
    message = "`{stream}` belongs to the thread that made it: `{function}` cannot use it in another"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        work = work_of(node, context)
        function = context.value(work) if work is not None else None
        if not isinstance(function, Function) or function.code.module is not context.module:
            return
        stream = _outer_stream(function.code, context)
        if stream is None:
            return
        context.report(
            self, node, stream=stream, function=function.code.name, fix=_fix(stream, context),
            confidence=Confidence.LIKELY,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        from concurrent.futures import ThreadPoolExecutor

        import mlx.core as mx

        def used(stream: object) -> list[float]:
            def work() -> list[float]:
                with mx.stream(stream):
                    return list((mx.ones(3) + 1).tolist())

            with ThreadPoolExecutor(1) as pool:
                return pool.submit(work).result()

        hazard = raises(lambda: used(mx.new_stream(mx.cpu)), RuntimeError, text="thread")
        found = used(mx.new_thread_local_stream(mx.cpu))
        return Evidence(hazard, shown(found == [2.0] * 3, f"with a stream of each thread: {found}"))


def _outer_stream(code: FunctionCode, context: Context) -> str | None:
    """The name of a stream that a function uses and that is made outside of it."""
    outside, method = free_paths(code), code.owner is not None
    own = {dotted(target) for node in context.walk(code.node.body) for target in targets_of(node)}
    for node in context.walk(code.node.body):
        if isinstance(node, (cst.Name, cst.Attribute)):
            value, path = context.value(node), dotted(node)
            elsewhere = path in outside or (method and (path or "").startswith("self.") and path not in own)
            if isinstance(value, Instance) and value.type == _STREAM and elsewhere:
                return path
    return None


def _fix(stream: str, context: Context) -> NodeFix | None:
    """Make the stream one of each thread, where it is made, if that is in one place."""
    bound = [
        node
        for node in context.walk(context.tree, into_functions=True)
        if any(dotted(target) == stream for target in targets_of(node))
    ]
    made = bound[0].value if len(bound) == 1 and isinstance(bound[0], cst.Assign) else None
    if not isinstance(made, cst.Call) or context.callee(made) != "mlx.core.new_stream":
        return None
    if not isinstance(made.func, cst.Attribute):
        return None
    edits = [Replace(made.func.attr, "new_thread_local_stream")]
    return NodeFix("Make it one of each thread", edits, Applicability.UNSAFE)
