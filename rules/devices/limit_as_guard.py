from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import Name
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

_LIMITS = frozenset({"mlx.core.set_memory_limit", "mlx.core.metal.set_memory_limit"})
_ERRORS = frozenset({"builtins.MemoryError", "builtins.RuntimeError"})


class LimitAsGuard(Rule):
    """An error is expected where a memory limit is passed

    ## What it does
    Finds `mx.set_memory_limit` in functions, or files, that catch `MemoryError` or `RuntimeError` around MLX's work and
    go on.

    ## PyTorch and MLX
    `torch.cuda.set_per_process_memory_fraction` makes what goes beyond raise `OutOfMemoryError`, and a handler can try
    a smaller batch. `mx.set_memory_limit` is a guideline: MLX waits for running work and frees what it has cached, and
    then allocates all the same. The handler does not run; the machine begins to swap.

    ## Example
    ```python
    import mlx.core as mx


    def total(batch: mx.array):
        mx.set_memory_limit(1 << 30)
        try:
            return mx.exp(batch).sum().item()
        except MemoryError:
            return mx.exp(batch[: batch.shape[0] // 2]).sum().item()
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def total(batch: mx.array):
        if 2 * batch.nbytes > 1 << 30:
            batch = batch[: batch.shape[0] // 2]
        return mx.exp(batch).sum().item()
    ```

    ## References
    - [set_memory_limit](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.set_memory_limit.html)
    """

    code = "MLX618"
    kind = Kind.SILENT
    severity = Severity.INFO
    calls = frozenset({"set_memory_limit"})
    message = "`{function}` raises nothing when its limit is passed: the handler below does not run for that"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _LIMITS:
            return
        code = context.enclosing_function(node)
        handler = next(_handlers(context.tree if code is None else code.node.body, context), None)
        if handler is not None:
            context.report(
                self, node, because=[("what is caught here", handler)], confidence=Confidence.LIKELY,
                function=context.brief(node.func),
            )  # fmt: skip

    @staticmethod
    def repro(megabytes: int = 4) -> Evidence:
        import subprocess

        import mlx.core as mx

        from mlxlint.rules._shared import python_like_this

        script = (  # in a process of its own: under the limit MLX waits for all work of the process
            "import mlx.core as mx\nmx.set_memory_limit(1 << 20)\n"
            f"x = mx.ones(({megabytes}, 1 << 18))\nmx.eval(x)\nprint(x.nbytes >> 20)"
        )
        done = subprocess.run(python_like_this(script), capture_output=True, text=True, timeout=20)
        allocated = int(done.stdout or 0)
        return Evidence(
            shown(allocated > 1, f"{allocated} MiB were allocated with a limit of 1 MiB"),
            shown(mx.ones((megabytes, 1 << 18)).nbytes == megabytes << 20, "the size is known before, by `nbytes`"),
        )


def _handlers(scope: cst.CSTNode, context: Context) -> Iterator[cst.ExceptHandler]:
    """The handlers that catch what an allocation might raise around MLX's work, and go on."""
    for part in walk(scope):
        if isinstance(part, cst.Try) and _works(part.body, context):
            for handler in part.handlers:
                named = {context.qualified(name) for name in walk(handler.type)} if handler.type is not None else set()
                if named & _ERRORS and not any(isinstance(inner, cst.Raise) for inner in walk(handler.body)):
                    yield handler


def _works(body: cst.CSTNode, context: Context) -> bool:
    """Whether a block calls something that may compute with MLX."""
    found = (called for _, called, _ in context.calls(body, through=False))
    return any(not isinstance(each, Name) or each.name.startswith(("mlx.", "mlx_lm.")) for each in found)
