from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Function, Name, Value, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, Skipped, shown

_STARTING = frozenset({"Process", "Pool"})
_FORK = "fork"


class ForkedProcess(Rule):
    """A forked process uses MLX

    ## What it does
    Finds `multiprocessing.get_context("fork")` and `set_start_method("fork")` in files whose worker functions use MLX,
    and `os.fork()` where the child does.

    ## PyTorch and MLX
    PyTorch on the CPU survives a fork, and its `DataLoader` forks on Linux. The threads of MLX's streams are not in a
    forked process: what is evaluated there waits for ever. Start processes with "spawn", and let workers use NumPy.

    ## Example
    ```python
    import multiprocessing

    import mlx.core as mx


    def length(size):
        return mx.ones((size,)).sum().item()


    if __name__ == "__main__":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(pool.map(length, [1, 2]))
    ```

    ## Use instead
    ```python
    import multiprocessing

    import mlx.core as mx


    def length(size):
        return mx.ones((size,)).sum().item()


    if __name__ == "__main__":
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            print(pool.map(length, [1, 2]))
    ```

    ## References
    - [multiprocessing: contexts and start methods](https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods)
    """

    code = "MLX616"
    kind = Kind.CRASH
    severity = Severity.WARNING
    calls = frozenset({"get_context", "set_start_method", "fork"})
    message = "processes are forked, and `{function}` uses MLX in them: what is evaluated there waits for ever"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == "os.fork" and _computes_in_child(node, context):
            template = "MLX is used in the forked process: what is evaluated there waits for ever"
            context.report(self, node, template=template, confidence=Confidence.LIKELY)
        if context.callee(node) not in ("multiprocessing.get_context", "multiprocessing.set_start_method"):
            return
        if constant(context.value(context.argument(node, 0, "method")), str) != _FORK:
            return
        worker = context.shared(_worker, context.tree)
        if worker is not None:
            context.report(self, node, function=worker, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(seconds: float = 4.0) -> Evidence:
        import os
        import subprocess

        from .._shared import python_like_this

        if not hasattr(os, "fork"):
            raise Skipped("needs a system that forks")
        script = (
            "import multiprocessing\nimport mlx.core as mx\n{}\n"
            "def work():\n    print((mx.ones((2,)) + 1).tolist(), flush=True)\n"
            "process = multiprocessing.get_context('fork').Process(target=work)\nprocess.start()\nprocess.join()"
        )

        def printed(before: str) -> str:
            process = subprocess.Popen(
                python_like_this(script.format(before)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                start_new_session=True,
            )  # fmt: skip
            try:
                return process.communicate(timeout=seconds)[0].strip()
            except subprocess.TimeoutExpired:
                return ""
            finally:
                os.killpg(process.pid, 9) if process.poll() is None else None
                process.communicate()

        after, fresh = printed("mx.eval(mx.ones((2,)) + 1)"), printed("")
        return Evidence(
            shown(not after, f"after the parent has evaluated: {after or f'nothing within {seconds:.0f} s'}"),
            shown(fresh != "", f"in a process whose parent has not: {fresh}"),
        )


def _worker(tree: cst.CSTNode, context: Context) -> str | None:
    """The name of a function that is given to a process or a pool and uses MLX."""
    for call in context.module.calls:
        for arg in call.args:
            function = context.value(arg.value)
            if not isinstance(function, Function) or function.code.module is not context.module:
                continue
            name = call.func.attr.value if isinstance(call.func, cst.Attribute) else ""
            if name not in (
                "map",
                "imap",
                "imap_unordered",
                "starmap",
                "apply",
                "apply_async",
                "map_async",
                *_STARTING,
            ):
                continue
            if any(_is_mlx(called) for _, called, _ in context.calls(function.code.node.body)):
                return function.code.name
    return None


def _computes_in_child(fork: cst.Call, context: Context) -> bool:
    """Whether the branch for the child (`if pid == 0`, `if not pid`) calls MLX."""
    parent = context.parent(fork)
    names = {dotted(t.target) for t in parent.targets} if isinstance(parent, cst.Assign) else set()
    code = context.enclosing_function(fork)
    for branch in context.nodes(context.tree if code is None else code.node.body, cst.If):
        test, child = branch.test, branch.body
        tested = any(part is fork or (isinstance(part, cst.Name) and part.value in names) for part in walk(test))
        is_zero = isinstance(test, cst.UnaryOperation) or any(
            isinstance(part, cst.Comparison) and isinstance(part.comparisons[0].operator, cst.Equal)
            for part in walk(test)
        )
        if tested and is_zero and any(_is_mlx(called) for _, called, _ in context.calls(child)):
            return True
    return False


def _is_mlx(called: Value) -> bool:
    return isinstance(called, Name) and called.name.startswith("mlx.")
