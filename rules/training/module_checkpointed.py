from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Function, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._gradients import is_module


class ModuleCheckpointed(Rule):
    """`mx.checkpoint` of a module gives its parameters no gradient

    ## What it does
    Finds `mx.checkpoint` of a module, of a method of one, or of a function that calls a module it was not given.

    ## PyTorch and MLX
    PyTorch's `checkpoint` finds the parameters of what it runs. `mx.checkpoint` knows the arguments only: what the
    function finds elsewhere is a constant, and the gradients of the weights in it are zero, without an error.
    `nn.utils.checkpoint(module)` passes the parameters as arguments.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    y = mx.checkpoint(layer)(mx.ones((4, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    y = nn.utils.checkpoint(layer)(mx.ones((4, 2)))
    ```

    ## References
    - [mx.checkpoint](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.checkpoint.html)
    """

    code = "MLX228"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"checkpoint"})
    message = "`mx.checkpoint` sees arguments only: the weights of `{module}` get no gradient"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if getattr(called, "name", None) != "mlx.core.checkpoint" or not node.args:
            return
        function = node.args[0].value
        module = _module(function, context.value(function), context)
        if module is not None:
            context.report(self, node, because=[function], module=context.brief(module))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 1)
        x = mx.ones((1, 2))
        _, cut = nn.value_and_grad(layer, lambda x: mx.checkpoint(layer)(x).sum())(x)
        _, right = nn.value_and_grad(layer, lambda x: nn.utils.checkpoint(layer)(x).sum())(x)
        return Evidence(
            shown(cut["bias"].item() == 0.0, "the gradient of the bias is 0"),
            shown(right["bias"].item() == 1.0, "with nn.utils it is 1"),
        )


def _module(node: cst.BaseExpression, value: Value, context: Context) -> cst.CSTNode | None:
    """The module whose weights a function uses without being given them."""
    if is_module(value):
        return node
    if not isinstance(value, Function):
        return None
    if value.receiver is not None:
        return node if is_module(value.receiver) else None
    parameters = {parameter.name.value for parameter in value.code.parameters}
    for part in context.walk(value.code.node.body):
        if isinstance(part, cst.Call) and is_module(value.code.module.values.get(part.func, value)):
            root: cst.CSTNode = part.func
            while isinstance(root, (cst.Attribute, cst.Subscript)):
                root = root.value
            if isinstance(root, cst.Name) and root.value not in parameters:
                return part.func
    return None
