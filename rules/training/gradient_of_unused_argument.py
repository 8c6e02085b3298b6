from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import UNKNOWN, Tree, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._gradients import differentiated_argument


class GradientOfUnusedArgument(Rule):
    """Parameters are differentiated that the function never uses

    ## What it does
    Finds functions made by `mx.grad` or `mx.value_and_grad` that are called with `model.parameters()` or
    `model.trainable_parameters()`, whose own first parameter appears nowhere in their body.

    ## PyTorch and MLX
    PyTorch finds the parameters by following the graph back from the loss. MLX differentiates with respect to the
    arguments: a function that takes the parameters and then calls a model from outside uses that model's own arrays,
    and every gradient is zero, without an error. `nn.value_and_grad(model, loss_fn)` puts them into the model.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    gradients = mx.grad(lambda parameters: model(mx.ones((4, 2))).sum())(model.trainable_parameters())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    loss, gradients = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((4, 2)))
    ```

    ## References
    - [nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX217"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"grad", "value_and_grad"})
    message = "`{parameter}` is never used in what is differentiated: all its gradients are zero"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = differentiated_argument(node, context)
        if found is None:
            return
        transform, first = found
        code = context.function(transform)
        if code is None or not code.positional or not _is_parameters(first, context):
            return
        bound = 1 if code.owner is not None and not code.is_static else 0
        parameter = code.positional[bound].name.value if bound < len(code.positional) else None
        if parameter is not None and not _mentions(code, parameter):
            context.report(self, node, because=[first], parameter=parameter)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Linear(2, 1, bias=False)
        x = mx.ones((4, 2))
        unused = mx.grad(lambda parameters: model(x).sum())(model.trainable_parameters())
        _, used = nn.value_and_grad(model, lambda x: model(x).sum())(x)
        return Evidence(
            shown(mx.all(unused["weight"] == 0).item(), f"gradient {unused['weight'].tolist()}"),
            shown(mx.all(used["weight"] == 4).item(), f"gradient {used['weight'].tolist()}"),
        )


def _is_parameters(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression surely is the parameters of a model, known or not."""
    value = context.value(node)
    if value is UNKNOWN and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        return node.func.attr.value == "trainable_parameters" and not node.args
    return all(isinstance(member, Tree) and member.kind == "parameters" for member in members(value))


def _mentions(code: FunctionCode, name: str) -> bool:
    return any(isinstance(part, cst.Name) and part.value == name for part in tree.walk(code.node.body))
