from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Array, Sequence, Value, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules._shared import returned
from mlxlint.rules.api._differentiated import differentiated
from mlxlint.rules.layers._losses import first, unreduced


class GradientOfArray(Rule):
    """A differentiated function that returns an array with axes

    ## What it does
    Finds functions given to `mx.grad`, `mx.value_and_grad` or `nn.value_and_grad` whose result (the first of several)
    is known to have an axis.

    ## PyTorch and MLX
    `y.backward()` wants one element, however many axes it has. MLX's transforms want a scalar, of no axes: even the
    shape `(1,)` raises `ValueError: Output shape (1) does not match cotangent shape ()`.

    ## Example
    ```python
    import mlx.core as mx

    gradient = mx.grad(lambda x: x * 2)(mx.array([1.0, 2.0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    gradient = mx.grad(lambda x: (x * 2).sum())(mx.array([1.0, 2.0]))
    ```

    For the product with a vector of one's own there is `mx.vjp`.

    ## References
    - [mlx.core.grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.grad.html)
    """

    code = "MLX433"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{function}` is differentiated, and `{result}` has {axes}: its gradient is that of a scalar alone"

    def visit_Module(self, node: cst.Module, context: Context) -> None:
        for flow in differentiated(context):
            if not flow.is_whole or _is_called_differently(flow.code, context):
                continue
            for result in returned(flow.code):
                array = _loss(context.value(result))
                if array is not None and array.rank and not any(unreduced(first(result), context)):
                    axes = "an axis" if array.rank == 1 else f"{array.rank} axes"
                    context.report(
                        self, result, because=[first(result)], confidence=array.confidence, function=flow.code.name,
                        result=context.brief(first(result)), axes=axes, repro={"axes": min(array.rank, 4)},
                    )  # fmt: skip

    @staticmethod
    def repro(axes: int = 1) -> Evidence:
        import mlx.core as mx

        x = mx.ones((1,) * axes)
        hazard = raises(lambda: mx.grad(lambda v: v * 2)(x), ValueError, text="cotangent")
        return Evidence(hazard, agrees(mx.grad(lambda v: (v * 2).sum())(x).reshape(-1), [2]))


def _is_called_differently(code: FunctionCode, context: Context) -> bool:
    """Whether a function's calls, with those of its gradient, give it values of several kinds or ranks."""
    calls = (call for call, called in context.module.calls.items() if context.function(called) is code)
    return len({tuple(_kind(context.value(arg.value)) for arg in call.args) for call in calls}) > 1


def _kind(value: Value) -> tuple[type[Value], int | None]:
    return type(value), value.rank if isinstance(value, Array) else None


def _loss(value: Value) -> Array | None:
    """The array that a result is, or begins with."""
    if isinstance(value, Sequence) and value.kind == "tuple" and value.items:
        value = value.items[0]
    return as_array(value, optional=False)
