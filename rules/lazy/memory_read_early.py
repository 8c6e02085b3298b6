from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ..training._gradients import is_module
from ..training._step import EVAL, Body, forced, holds_arrays
from ._statements import blocks_before

READERS = frozenset({"get_peak_memory", "get_active_memory"})


class MemoryReadEarly(Rule):
    """The memory is read before anything was computed

    ## What it does
    Finds `mx.get_peak_memory()` and `mx.get_active_memory()` after computations in the same block that nothing has
    evaluated.

    ## PyTorch and MLX
    PyTorch has allocated what it computes when a call returns. MLX has only recorded the work: the number read is
    that of before.

    ## Example
    ```python
    import mlx.core as mx

    mx.reset_peak_memory()
    y = mx.random.normal((256, 256)) @ mx.random.normal((256, 256))
    peak = mx.get_peak_memory()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.reset_peak_memory()
    y = mx.random.normal((256, 256)) @ mx.random.normal((256, 256))
    mx.eval(y)
    peak = mx.get_peak_memory()
    ```

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    - [Memory management](https://ml-explore.github.io/mlx/build/html/python/memory_management.html)
    """

    code = "MLX518"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = READERS
    message = "`{reader}` is called before `{work}` was computed: it does not count"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not callee.startswith("mlx.core."):
            return
        before = next(iter(blocks_before(node, context)), [])
        begins = [i for i, earlier in enumerate(before) if _resets(earlier, context)]
        bodies = [context.shared(Body, earlier) for earlier in before[begins[-1] + 1 :]] if begins else []
        work = next((found for body in bodies for found in _work(body, context)), None)
        if work is None or any(
            forced(*call) or getattr(call[1], "name", "") in EVAL for body in bodies for call in body.calls
        ):
            return
        context.report(
            self, node, because=[("this is only recorded", work)], reader=context.brief(node), work=context.brief(work)
        )

    @staticmethod
    def repro(size: int = 256) -> Evidence:
        import mlx.core as mx

        mx.reset_peak_memory()
        before = mx.get_peak_memory()
        y = mx.random.normal((size, size)) @ mx.random.normal((size, size))
        recorded = mx.get_peak_memory() - before
        mx.eval(y)
        computed = mx.get_peak_memory() - before
        return Evidence(
            shown(recorded < 4 * size, f"{recorded} bytes before evaluation"),
            shown(computed >= 4 * size * size, f"{computed} bytes after it"),
        )


def _work(body: Body, context: Context) -> Iterator[cst.BaseExpression]:
    """The expressions in a statement that compute arrays."""
    for node in body.nodes:
        runs_model = isinstance(node, cst.Call) and is_module(context.called(node))
        computes = isinstance(node, (cst.Call, cst.BinaryOperation)) and holds_arrays(context.value(node))
        if isinstance(node, cst.BaseExpression) and (runs_model or computes):
            yield node


def _resets(statement: cst.CSTNode, context: Context) -> bool:
    """Whether a statement begins a measurement."""
    return any(
        isinstance(called, Name) and called.name in ("mlx.core.reset_peak_memory", "mlx.core.metal.reset_peak_memory")
        for _, called, _ in context.calls(statement, through=False)
    )
