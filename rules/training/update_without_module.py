from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Tree, Value, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._gradients import is_gradients, is_module
from ._optimizers import as_optimizer


class UpdateWithoutModule(Rule):
    """`optimizer.update` is not given the module

    ## What it does
    Finds `optimizer.update` whose first argument is `model.parameters()` or the gradients, instead of the model.

    ## PyTorch and MLX
    `update(model, gradients)` writes the new parameters into the module by calling its `update`. A tree of
    parameters and one of gradients are dicts, and these have an `update` too: the new values end up in a dict that
    is thrown away. Nothing raises and nothing trains.

    ## Example
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    gradients = {"bias": model.bias}
    optimizer.update(model.parameters(), gradients)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    gradients = {"bias": model.bias}
    optimizer.update(model, gradients)
    ```

    ## References
    - [Optimizer.update](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Optimizer.update.html)
    """

    code = "MLX212"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"update"})
    message = "`update` takes the model first, then the gradients; `{given}` is {what}, and no model changes"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if as_optimizer(context.receiver(node)) is None:
            return
        given = context.argument(node, 0, "model")
        what = None if given is None else _what(context.value(given))
        if given is not None and what is not None:
            context.report(self, node, because=[given], given=context.brief(given), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.5)
        model.bias = mx.array([1.0])
        optimizer.update(model.parameters(), {"bias": mx.array([1.0])})
        unchanged = model.bias.item()
        optimizer.update(model, {"bias": mx.array([1.0])})
        return Evidence(
            shown(unchanged == 1.0, f"the bias is still {unchanged}"),
            shown(model.bias.item() == 0.5, f"it is {model.bias.item()}"),
        )


def _what(value: Value) -> str | None:
    if is_gradients(value):
        return "the gradients"
    if all(isinstance(m, Tree) and m.kind == "parameters" for m in members(value)) and not is_module(value):
        return "a tree of parameters"
    return None
