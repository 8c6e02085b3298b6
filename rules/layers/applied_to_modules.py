from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import LIKELY, Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown


class AppliedToModules(Rule):
    """`model.apply` is given a function of modules, and calls it with arrays

    ## What it does
    Finds `apply` of an MLX module with a function that asks whether its argument is a layer, or reads or sets its
    `weight` or `bias`.

    ## PyTorch and MLX
    PyTorch's `apply(init_weights)` calls the function with every submodule. MLX's calls it with every *array*, and
    stores what it returns: `isinstance(m, nn.Linear)` is never true, so that nothing is initialised; and a function
    that returns nothing puts `None` in place of the weights. `apply_to_modules` calls a function of name and
    module.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    def init_weights(m):
        if isinstance(m, nn.Linear):
            m.weight = mx.zeros_like(m.weight)
        return m


    model = nn.Sequential(nn.Linear(2, 2))
    model.apply(init_weights)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    def init_weights(name, m):
        if isinstance(m, nn.Linear):
            m.weight = mx.zeros_like(m.weight)


    model = nn.Sequential(nn.Linear(2, 2))
    model.apply_to_modules(init_weights)
    ```

    ## References
    - [Module.apply](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.apply.html)
    - [Module.apply_to_modules](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.apply_to_modules.html)
    """

    code = "MLX357"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"apply"})
    message = "`apply` calls `{function}` with arrays, not with modules: use `apply_to_modules`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not callee.startswith("mlx.nn.") or not callee.endswith(".apply"):
            return
        given = context.argument(node, 0, "map_fn")
        code = context.function(context.value(given)) if given is not None else None
        if given is not None and code is not None and _takes_module(code):
            context.report(self, node, confidence=LIKELY, function=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def zero(m: nn.Module) -> nn.Module:
            if isinstance(m, nn.Linear):
                m.weight = mx.zeros_like(m.weight)
            return m

        model = nn.Sequential(nn.Linear(2, 2))
        model.apply(zero)
        before = mx.abs(model.layers[0].weight).sum().item()
        model.apply_to_modules(lambda name, m: zero(m))
        after = mx.abs(model.layers[0].weight).sum().item()
        missing = raises(lambda: model.apply(lambda m: None)).holds
        hazard = shown(before > 0 and missing, f"after apply the weights sum to {before:.2f}")
        return Evidence(hazard, shown(after == 0, f"after apply_to_modules to {after}"))


def _takes_module(code: FunctionCode) -> bool:
    """Whether a function treats its first parameter as a layer."""
    parameters = [p for p in code.positional if p.name.value != "self"]
    if not parameters:
        return False
    name = parameters[0].name.value
    for node in tree.walk(code.node.body):
        if isinstance(node, cst.Call) and _asks_for_layer(node, name, code):
            return True
        if (
            isinstance(node, cst.Attribute)
            and node.attr.value in ("weight", "bias")
            and isinstance(node.value, cst.Name)
            and node.value.value == name
        ):
            return True
    return False


def _asks_for_layer(node: cst.Call, name: str, code: FunctionCode) -> bool:
    if not (isinstance(node.func, cst.Name) and node.func.value == "isinstance" and len(node.args) == 2):
        return False
    subject, classes = node.args[0].value, node.args[1].value
    if not (isinstance(subject, cst.Name) and subject.value == name):
        return False
    values = (code.module.values.get(part) for part in tree.walk(classes))
    return any(isinstance(value, Name) and value.name.startswith("mlx.nn.") for value in values)
