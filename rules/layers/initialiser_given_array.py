from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from .initialiser_dropped import PREFIX

_OTHER_ARGUMENTS = frozenset({"constant", "sparse"})


class InitialiserGivenArray(Rule):
    """An initialiser is given the array itself, and returns a function

    ## What it does
    Finds `nn.init.normal(weight, …)` and the like, where the first argument is an array.

    ## PyTorch and MLX
    PyTorch's `nn.init.normal_(weight, mean, std)` takes the tensor first. MLX's `nn.init.normal(mean, std)` takes the
    settings and returns a function, which takes the array. Given an array first, it raises later or, assigned, makes a
    function the layer's weight.

    ## Example
    ```python
    import mlx.nn as nn

    layer = nn.Linear(4, 4)
    layer.weight = nn.init.glorot_uniform(layer.weight)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    layer = nn.Linear(4, 4)
    layer.weight = nn.init.glorot_uniform()(layer.weight)
    ```

    ## Fix safety
    The fix, given where the array is the only argument, calls the returned function with it; what the code did before
    was to store a function. It is unsafe, since the default settings may not be those meant.

    ## References
    - [Initializers](https://ml-explore.github.io/mlx/build/html/python/nn/init.html)
    """

    code = "MLX342"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`nn.init.{initialiser}` takes settings and returns a function: it does not fill `{array}`"
    calls = frozenset({"mlx.*"})
    yields_to = ("torch-name",)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args or node.args[0].star:
            return
        callee = context.callee(node) or ""
        name = callee[len(PREFIX) :]
        if not callee.startswith(PREFIX) or callee.endswith("()") or "." in name or name in _OTHER_ARGUMENTS:
            return
        given = node.args[0].value
        nothing = context.value(given) is UNKNOWN and context.is_dropped(node)  # whatever it is, nothing is done to it
        if context.array(given) is not None or nothing:
            context.report(
                self,
                node,
                because=[given],
                fix=_called(node, given, context),
                initialiser=name,
                array=context.brief(given),
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        weight = mx.zeros((2, 2))
        return Evidence(
            shown(callable(nn.init.glorot_uniform(weight)), "the result is a function"),
            shown(nn.init.glorot_uniform()(weight).shape == (2, 2), "the function's result is an array"),
        )


def _called(node: cst.Call, given: cst.BaseExpression, context: Context) -> NodeFix | None:
    if len(node.args) != 1 or node.args[0].keyword is not None:
        return None
    text = f"{context.text(node.func)}()({context.text(given)})"
    return NodeFix("Call the returned function", [Replace(node, text)], Applicability.UNSAFE)
