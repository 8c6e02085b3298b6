from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from .._shared import is_port
from ._gradients import differentiated_argument, is_module


class FrozenParametersTrained(Rule):
    """A model is differentiated as a plain argument, frozen parameters included

    ## What it does
    Finds functions made by `mx.grad` or `mx.value_and_grad` that are called with a module as the argument to
    differentiate with respect to.

    ## PyTorch and MLX
    A module is a dict of arrays, so `mx.value_and_grad(loss_fn)(model, x)` works. But it knows nothing of
    `freeze()`: there are gradients for frozen parameters and for the running statistics of batch normalisation, and
    the optimizer changes them. `nn.value_and_grad(model, loss_fn)` differentiates what is trainable.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    model.freeze(keys=["bias"])
    loss_and_grad = mx.value_and_grad(lambda model, x: model(x).sum())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    model.freeze(keys=["bias"])
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    ```

    ## References
    - [nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX216"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"grad", "value_and_grad"})
    message = "`{model}` is differentiated as a plain dict: frozen parameters get gradients too"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = differentiated_argument(node, context)
        if found is not None and is_module(context.value(found[1])):
            frozen = ".freeze(" in context.module.text or is_port(context)
            context.report(
                self,
                node,
                because=[found[1]],
                severity=Severity.WARNING if frozen else Severity.INFO,
                model=context.brief(found[1]),
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Linear(2, 1)
        model.freeze(keys=["bias"])
        x = mx.ones((1, 2))
        _, everything = mx.value_and_grad(lambda m, x: m(x).sum())(model, x)
        _, trainable = nn.value_and_grad(model, lambda m, x: m(x).sum())(model, x)
        return Evidence(
            shown("bias" in everything, "there is a gradient for the frozen bias"),
            shown("bias" not in trainable, "there is none"),
        )
