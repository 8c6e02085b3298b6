from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Function, Name, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._gradients import is_module

_OF_MODEL = "mlx.nn.value_and_grad"
_OF_FUNCTION = "mlx.core.value_and_grad"
_SWAPPED = "`nn.value_and_grad` takes the model first, then the function"


class ValueAndGradArguments(Rule):
    """`nn.value_and_grad` is given a function first

    ## What it does
    Finds `nn.value_and_grad(loss_fn)`, `nn.value_and_grad(loss_fn, model)` and `mx.value_and_grad(model, loss_fn)`.

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
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        arguments = context.arguments(node)
        called = context.called(node)
        name = called.name if isinstance(called, Name) else None
        if name not in (_OF_MODEL, _OF_FUNCTION) or arguments.starred or not arguments.positional:
            return
        first = arguments.positional[0].value
        if name == _OF_MODEL and _is_function(context.value(first)):
            context.report(self, node, because=[first], problem=_SWAPPED, fix=_swapped(node, context))
        elif name == _OF_FUNCTION and len(arguments.positional) > 1:
            second = arguments.positional[1].value
            if is_module(context.value(first)) and _is_function(context.value(second)):
                problem = "`mx.value_and_grad` takes no model: with one it is `nn.value_and_grad`"
                context.report(self, node, because=[first, second], problem=problem, repro={"model": False})

    @staticmethod
    def repro(model: bool = True) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 1)
        x = mx.ones((1, 2))
        if model:
            hazard = raises(lambda: nn.value_and_grad(lambda m, x: m(x).sum(), layer)(layer, x), AttributeError)
        else:
            hazard = raises(lambda: mx.value_and_grad(layer, lambda x: layer(x).sum()), TypeError)
        _, gradients = nn.value_and_grad(layer, lambda m, x: m(x).sum())(layer, x)
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
