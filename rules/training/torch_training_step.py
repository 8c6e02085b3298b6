from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._gradients import is_module
from ._optimizers import as_optimizer, method_call

STEP = "its `step` counts the updates; `update(model, gradients)` applies gradients"
ZERO_GRAD = "gradients are returned anew by `nn.value_and_grad`, there is nothing to reset"


class TorchTrainingStep(Rule):
    """`optimizer.step()` and `zero_grad()` on MLX's optimizers

    ## What it does
    Finds calls of `step()` and `zero_grad()` on optimizers of `mlx.optimizers`, and of `zero_grad()` on modules.

    ## PyTorch and MLX
    PyTorch's optimizer holds the parameters and finds their gradients on them. MLX's holds no parameters: `update`
    is given the model and the gradients. `step` is an array that counts the updates and cannot be called, and
    `zero_grad` does not exist, since gradients do not accumulate by themselves.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=0.1)
    optimizer.zero_grad()
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    optimizer.update(model, gradients)
    mx.eval(model.parameters(), optimizer.state)
    ```

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX202"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "MLX's {kind} have no `{name}()`: {instead}"
    calls = frozenset({".step", ".zero_grad"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        method = method_call(node, "step", "zero_grad")
        if method is None:
            return
        name = method.attr.value
        owner = context.value(method.value)
        if as_optimizer(owner) is not None:
            kind = "optimizers"
        elif name == "zero_grad" and is_module(owner) and not _defines(owner, name):
            kind = "modules"
        else:
            return
        context.report(
            self,
            node,
            because=[method.value],
            kind=kind,
            name=name,
            instead=STEP if name == "step" else ZERO_GRAD,
            repro={"name": name},
        )

    @staticmethod
    def repro(name: str = "step") -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
        before = model.bias.tolist()
        hazard = raises(lambda: getattr(optimizer, name)(), AttributeError, TypeError)
        optimizer.update(model, {"bias": model.bias * 0 + 1})
        return Evidence(hazard, shown(model.bias.tolist() != before, "update() changes the bias"))


def _defines(owner: object, name: str) -> bool:
    code = getattr(owner, "code", None)
    return code is not None and code.method(name) is not None
