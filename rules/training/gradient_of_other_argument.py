from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Dict, Partial, Sequence, Tree, Value, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._gradients import TRANSFORMS, is_module
from ._optimizers import as_optimizer

NAMED = frozenset({"argnums", "argnames"})


class GradientOfOtherArgument(Rule):
    """The optimizer is given gradients with respect to the input

    ## What it does
    Finds `mx.grad` and `mx.value_and_grad` whose gradients are given to `optimizer.update(model, ...)`, although
    the first argument of the differentiated function is neither the model nor its parameters.

    ## PyTorch and MLX
    `loss.backward()` finds all parameters. `mx.grad` and `mx.value_and_grad` differentiate with respect to the
    first argument of the call, unless `argnums` says otherwise: with a loss that takes `(x, y)` and finds the model
    in its surroundings, that is the input. `nn.value_and_grad(model, loss_fn)` differentiates with respect to the
    model's parameters.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = mx.value_and_grad(lambda x: model(x).sum())
    loss, gradients = loss_and_grad(mx.ones((4, 2)))
    optimizer.update(model, gradients)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())
    loss, gradients = loss_and_grad(mx.ones((4, 2)))
    optimizer.update(model, gradients)
    ```

    ## References
    - [Function transforms](https://ml-explore.github.io/mlx/build/html/usage/function_transforms.html)
    - [nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX215"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"update"})
    message = (
        "these gradients are with respect to {argument}, not to the model's parameters: `nn.value_and_grad` gives those"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if as_optimizer(context.receiver(node)) is None:
            return
        given = context.argument(node, 1, "gradients")
        made = given if isinstance(given, cst.Call) else context.value(given).node
        if given is None or not isinstance(made, cst.Call):
            return
        argument = _input(made, context)
        if argument is not None:
            context.report(
                self, given, because=[("they come from here", made)], argument=f"`{context.brief(argument)}`"
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
        x = mx.ones((4, 2))
        _, flagged = mx.value_and_grad(lambda x: model(x).sum())(x)
        hazard = raises(lambda: [optimizer.update(model, flagged), model.parameters()][1])
        _, right = nn.value_and_grad(model, lambda x: model(x).sum())(x)
        return Evidence(hazard, shown(right["bias"].item() == 4.0, "nn.value_and_grad gives the gradient of the bias"))


def _input(call: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The first argument of a differentiated function's call, when it is an array that cannot be the parameters."""
    transform = context.called(call)
    if not isinstance(transform, Partial) or transform.transform not in TRANSFORMS - {"mlx.nn.value_and_grad"}:
        return None
    if (
        transform.args
        or NAMED & set(transform.keywords)
        or not call.args
        or call.args[0].star
        or call.args[0].keyword is not None
    ):
        return None
    first = call.args[0].value
    value = context.value(first)
    if is_module(value) or isinstance(value, (Tree, Dict, Sequence)):
        return None
    return first if _is_input(value) or _closes_over_module(transform, context) else None


def _is_input(value: Value) -> bool:
    array = as_array(value)
    return isinstance(array, Array) and not array.parameter


def _closes_over_module(transform: Partial, context: Context) -> bool:
    """Whether the differentiated function calls a module that it was not given: a bound method's, or one around it."""
    code = context.function(transform)
    if code is None:
        return False
    parameters = {p.name.value for p in code.parameters} - {"self"}
    for node in context.walk(code.node.body):
        if isinstance(node, cst.Call) and is_module(code.module.calls.get(node, context.value(node.func))):
            root: cst.CSTNode = node.func
            while isinstance(root, cst.Attribute):
                root = root.value
            if isinstance(root, cst.Name) and root.value not in parameters:
                return True
    return False
