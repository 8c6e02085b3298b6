from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

_MANY = 10_000  # steps, from which on the error is seen in the fourth digit


class ArangeDrift(Rule):
    """A long `mx.arange` with a fractional step

    ## What it does
    Finds `mx.arange` with a fractional step, written as a number or as `1 / rate`, and ten thousand steps or more, or a
    number of steps that is not known. It is a note where the number is not known.

    ## PyTorch and MLX
    PyTorch computes each element as `start + i * step`, in double precision. On the CPU, MLX adds the step again and
    again in `float32`: after 44,100 steps of `1 / 44100` it is 23 steps off, after ten times as many 2,300. An `arange`
    of whole numbers, divided, is right on every device.

    ## Example
    ```python
    import mlx.core as mx

    seconds = mx.arange(0, 10, 1 / 44100)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    seconds = mx.arange(10 * 44100) / 44100
    ```

    ## References
    - [arange](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.arange.html)
    """

    code = "MLX495"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"arange"})
    message = "rounding errors of `{step}` add up on the CPU over {count} steps: divide an `arange` of whole numbers"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        arguments = context.arguments(node)
        if len(node.args) < 3 or context.callee(node) != "mlx.core.arange" or arguments.starred:
            return
        given = [context.argument(node, i, name) for i, name in enumerate(("start", "stop", "step"))]
        step = given[2]
        start, stop, by = (constant(context.value(each), (int, float)) for each in given)
        if step is None or not (_is_share(step) if by is None else by != round(by)):
            return
        known = by is not None and start is not None and stop is not None
        count = int((stop - start) / by) if known and by else None
        if count is not None and count < _MANY:
            return
        context.report(
            self, node, step=context.brief(step), count="many" if count is None else f"{count:,}",
            severity=Severity.INFO if count is None else Severity.WARNING,
            confidence=Confidence.LIKELY if count is None else None,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        rate, seconds = 44_100, 10
        last = seconds - 1 / rate
        with mx.stream(mx.cpu):
            added = mx.arange(0, seconds, 1 / rate)[-1].item()
            divided = (mx.arange(seconds * rate) / rate)[-1].item()
        return Evidence(
            shown(abs(added - last) > 1 / rate, f"the last of {seconds * rate:,} is {added:.5f}, not {last:.5f}"),
            shown(abs(divided - last) < 0.1 / rate, f"divided: {divided:.5f}"),
        )


def _is_share(node: cst.BaseExpression) -> bool:
    """Whether an expression is one over something that is not known."""
    return isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide)
