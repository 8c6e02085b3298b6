from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

PREFIX = "mlx.nn.init."


class InitialiserDropped(Rule):
    """The result of an initialiser is thrown away, and the array keeps its values

    ## What it does
    Finds `nn.init.normal(…)(array)` and the like as a statement of its own.

    ## PyTorch and MLX
    PyTorch's `nn.init.normal_` fills its argument. MLX's initialisers return a function, and that function returns a
    new array: its argument only says the shape. Without an assignment nothing is initialised.

    ## Example
    ```python
    import mlx.nn as nn

    layer = nn.Linear(4, 4)
    nn.init.constant(0.0)(layer.bias)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    layer = nn.Linear(4, 4)
    layer.bias = nn.init.constant(0.0)(layer.bias)
    ```

    ## Fix safety
    The fix assigns the result to the argument. It changes the program's numbers, and is unsafe.

    ## References
    - [Initializers](https://ml-explore.github.io/mlx/build/html/python/nn/init.html)
    """

    code = "MLX341"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "the initialiser returns a new array, which is thrown away: `{array}` keeps its values"

    def visit_Expr(self, node: cst.Expr, context: Context) -> None:
        call = node.value
        if not isinstance(call, cst.Call) or not call.args:
            return
        callee = context.callee(call)
        if callee is not None and callee.startswith(PREFIX) and callee.endswith("()"):
            given = call.args[0].value
            context.report(self, call, fix=_assigned(call, given, context), array=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        weight = mx.ones((2, 2))
        result = nn.init.constant(0.0)(weight)
        return Evidence(
            shown(weight.sum().item() == 4, "the argument is unchanged"),
            shown(result.sum().item() == 0, "the result is filled"),
        )


def _assigned(node: cst.Call, given: cst.BaseExpression, context: Context) -> NodeFix | None:
    if not isinstance(given, cst.Attribute) or node.args[0].keyword is not None:
        return None
    return NodeFix("Assign the result", [Insert(node, f"{context.text(given)} = ")], Applicability.UNSAFE)
