from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

_MAKING = frozenset({"mlx.core.new_stream", "mlx.core.new_thread_local_stream", "mlx.core.new_thread_unsafe_stream"})


class StreamMadeInLoop(Rule):
    """A stream is made in each pass of a loop

    ## What it does
    Finds `mx.new_stream` in a loop, outside of functions and comprehensions that make one for each worker.

    ## PyTorch and MLX
    PyTorch takes streams from a pool. Each stream of MLX has a thread of its own, which is never given back, and a
    compiled function is traced anew for each stream it is called under. Make the stream before the loop.

    ## Example
    ```python
    import mlx.core as mx

    for batch in [mx.ones((4,)), mx.zeros((4,))]:
        with mx.stream(mx.new_stream(mx.cpu)):
            print((batch + 1).tolist())
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    stream = mx.new_stream(mx.cpu)
    for batch in [mx.ones((4,)), mx.zeros((4,))]:
        with mx.stream(stream):
            print((batch + 1).tolist())
    ```

    ## References
    - [Using streams](https://ml-explore.github.io/mlx/build/html/usage/using_streams.html)
    """

    code = "MLX534"
    kind = Kind.COST
    severity = Severity.WARNING
    calls = frozenset(name.rpartition(".")[2] for name in _MAKING)
    message = "a new stream in each pass: compiled functions are traced anew under each, and none is given back"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _MAKING:
            return
        loop = context.enclosing(node, cst.For, cst.While)
        holder = context.parent(node)
        kept = isinstance(holder, cst.Assign) and isinstance(holder.targets[0].target, cst.Subscript)
        if loop is not None and not kept and (isinstance(holder, (cst.Arg, cst.WithItem)) or _is_plain(holder)):
            if not _is_filled(holder, context):
                context.report(self, node)

    @staticmethod
    def repro(passes: int = 3) -> Evidence:
        import mlx.core as mx

        def traces(one: bool) -> int:
            runs = []

            def work(x: mx.array) -> mx.array:
                runs.append(1)
                return x + 1

            compiled, stream = mx.compile(work), mx.new_stream(mx.cpu)
            for _ in range(passes):
                with mx.stream(stream if one else mx.new_stream(mx.cpu)):
                    mx.eval(compiled(mx.ones((2,))))
            return len(runs)

        many, once = traces(False), traces(True)
        return Evidence(
            shown(many == passes, f"a compiled function is traced {many} times in {passes} passes"),
            shown(once == 1, f"with one stream {once} time"),
        )


def _is_plain(holder: cst.CSTNode | None) -> bool:
    return isinstance(holder, cst.Assign) and isinstance(holder.targets[0].target, cst.Name)


def _is_filled(holder: cst.CSTNode | None, context: Context) -> bool:
    """Whether a stream is put into a list, or handed to a function: one for each worker."""
    call = context.parent(holder) if isinstance(holder, cst.Arg) else None
    return isinstance(call, cst.Call) and context.callee(call) != "mlx.core.stream"
