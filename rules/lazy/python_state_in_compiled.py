from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import Name
from mlxlint.rule import Evidence, Kind, Severity, shown

from ._compile import Compiled, CompiledRule

TRACES = re.compile(r"trac|compil", re.IGNORECASE)
DRAWING = ("random.", "numpy.random.", "time.")


class PythonStateInCompiled(CompiledRule):
    """Python's own random numbers, clocks and counters in a compiled function stand still

    ## What it does
    Finds draws from `random` and `numpy.random`, readings of the clock, and counters (`self.calls += 1`, names
    declared `global` or `nonlocal`) in the body of a compiled function. Counters of traces and attributes of
    classes are left alone.

    ## PyTorch and MLX
    The Python code of a compiled function runs when it is traced, once for each kind of input. What it draws then
    is a constant afterwards, and what it counts is the traces.

    ## Example
    ```python
    import random

    import mlx.core as mx


    @mx.compile
    def jitter(x):
        return x * random.random()
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def jitter(x):
        return x * mx.random.uniform()
    ```

    ## References
    - [Compilation: pure functions](https://ml-explore.github.io/mlx/build/html/usage/compile.html#pure-functions)
    """

    code = "MLX516"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{what}` runs only while the compiled function `{function}` is traced"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module:
            return
        for node in _python_state(compiled.code.node, context):
            context.report(self, node, what=context.brief(node), function=compiled.code.name)

    @staticmethod
    def repro() -> Evidence:
        import random

        import mlx.core as mx

        x = mx.ones((1,))
        still = mx.compile(lambda x: x * random.random())
        first, second = still(x).item(), still(x).item()
        drawn = mx.compile(lambda x: x * mx.random.uniform(), inputs=mx.random.state, outputs=mx.random.state)
        return Evidence(
            shown(first == second, f"{first:.3f} in both calls"),
            shown(drawn(x).item() != drawn(x).item(), "mx.random draws anew"),
        )


def _python_state(function: cst.FunctionDef | cst.Lambda, context: Context) -> Iterator[cst.CSTNode]:
    outer: set[str] = set()
    for node in context.walk(function.body):
        if isinstance(node, (cst.Global, cst.Nonlocal)):
            outer |= {item.name.value for item in node.names}
        elif isinstance(node, cst.Call):
            called = context.called(node)
            if isinstance(called, Name) and called.receiver is None and called.name.startswith(DRAWING):
                yield node
        elif isinstance(node, cst.AugAssign) and context.array(node.value) is None:
            path = dotted(node.target) or ""
            counts = (path.startswith("self.") or path in outer) and not TRACES.search(path)
            if counts and context.array(node.target) is None and isinstance(node.value, cst.Integer):
                yield node
