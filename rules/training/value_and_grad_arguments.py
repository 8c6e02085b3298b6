from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Function, Name, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._gradients import is_module


class ValueAndGradArguments(Rule):
    """`nn.value_and_grad` is given a function first

    ## What it does
    Finds `nn.value_and_grad(loss_fn)` and `nn.value_and_grad(loss_fn, model)`.

    ## PyTorch and MLX
    `nn.value_and_grad(model, loss_fn)` differentiates with respect to the model's trainable parameters and so takes
    the model first. `mx.value_and_grad(loss_fn)` takes a function only and differentiates with respect to its first
    argument.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(lambda model, x: model(x).sum(), model)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    ```

    ## Fix safety
    The fix swaps the two arguments. It is safe: in the other order the call fails.

    ## References
    - [nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX214"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"value_and_grad"})
    message = "`nn.value_and_grad` takes the model first, then the function"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        arguments = context.arguments(node)
        called = context.called(node)
        if (
            not (isinstance(called, Name) and called.name == "mlx.nn.value_and_grad")
            or arguments.starred
            or not arguments.positional
        ):
            return
        first = arguments.positional[0].value
        if _is_function(context.value(first)):
            context.report(self, node, because=[first], fix=_swapped(node, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Linear(2, 1)
        x = mx.ones((1, 2))
        hazard = raises(lambda: nn.value_and_grad(lambda m, x: m(x).sum(), model)(model, x), AttributeError)
        _, gradients = nn.value_and_grad(model, lambda m, x: m(x).sum())(model, x)
        return Evidence(hazard, shown(gradients["bias"].item() == 1.0, "the gradient of the bias is 1"))


def _is_function(value: Value) -> bool:
    return isinstance(value, Function) and not is_module(value)


def _swapped(node: cst.Call, context: Context) -> NodeFix | None:
    if len(node.args) != 2 or any(arg.keyword is not None for arg in node.args):
        return None
    function, model = node.args[0].value, node.args[1].value
    return NodeFix(
        "Give the model first",
        [Replace(function, context.text(model)), Replace(model, context.text(function))],
        Applicability.SAFE,
    )
