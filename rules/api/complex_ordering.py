from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, shown
from mlxlint.rules._operations import operation

if TYPE_CHECKING:
    import mlx.core as mx

ORDERING = frozenset(
    "sort argsort max min argmax argmin maximum minimum topk partition argpartition clip median cummax cummin".split()
)
COMPARES = (cst.LessThan, cst.GreaterThan, cst.LessThanEqual, cst.GreaterThanEqual)


class ComplexOrdering(Rule):
    """Complex numbers are put in order

    ## What it does
    Finds `<`, `>`, `<=` and `>=` on complex arrays, and `sort`, `max`, `argmax`, `maximum`, `clip` and the like of
    them.

    ## PyTorch and MLX
    PyTorch refuses to order complex numbers. MLX compares the real parts, then the imaginary ones, which is hardly
    what a spectrum is asked for; on a CUDA device, some of these functions, such as `argmax`, raise.

    ## Example
    ```python
    import mlx.core as mx

    spectrum = mx.fft.rfft(mx.ones((8,)))
    peak = mx.argmax(spectrum)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    spectrum = mx.fft.rfft(mx.ones((8,)))
    peak = mx.argmax(mx.abs(spectrum))
    ```

    ## References
    - [mlx.core.abs](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.abs.html)
    """

    code = "MLX484"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{array}` is complex: MLX orders it by the real part, PyTorch refuses"
    calls = ORDERING

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, ORDERING)
        if found is not None:
            self._check(node, found.subject, context)

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if isinstance(node.comparisons[0].operator, COMPARES):
            self._check(node, node.left, context)

    def _check(self, node: cst.CSTNode, subject: cst.BaseExpression, context: Context) -> None:
        array = context.array(subject)
        if array is not None and array.dtype == "complex64":
            context.report(self, node, because=[subject], array=context.brief(subject))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        z = mx.array([3j, 1 + 0j])
        by_part = _result(lambda: z[0] < z[1])
        text = f"3j < 1: {by_part}; argmax of [3j, 1]: {_result(lambda: mx.argmax(z))}"
        return Evidence(shown(by_part == "True", text), agrees(mx.argmax(mx.abs(z)), 0))


def _result(run: Callable[[], mx.array]) -> str:
    """A number or truth value, or what is raised in its place: not every device orders complex numbers."""
    try:
        return str(run().item())
    except (RuntimeError, ValueError) as error:
        return type(error).__name__
