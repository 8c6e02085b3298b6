from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Sequence, Value, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._gradients import is_gradients
from ._optimizers import as_optimizer, method_call


class ClipPairAsGradients(Rule):
    """The pair that `clip_grad_norm` returns is used as gradients

    ## What it does
    Finds `optimizer.update` and `optimizer.apply_gradients` that are given the result of `optim.clip_grad_norm` as
    it is.

    ## PyTorch and MLX
    `clip_grad_norm` returns a pair: the clipped gradients and their norm before. Given to `update`, the pair fails
    with a `TypeError` that speaks of something else.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    gradients = {"bias": mx.array([3.0])}
    gradients = optim.clip_grad_norm(gradients, 1.0)
    optimizer.update(model, gradients)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    gradients = {"bias": mx.array([3.0])}
    gradients, norm = optim.clip_grad_norm(gradients, 1.0)
    optimizer.update(model, gradients)
    ```

    ## References
    - [clip_grad_norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.optimizers.clip_grad_norm.html)
    """

    code = "MLX208"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"update", "apply_gradients"})
    message = "`{gradients}` is the pair of gradients and norm that `clip_grad_norm` returns"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        method = method_call(node, "update", "apply_gradients")
        if method is None or as_optimizer(context.receiver(node)) is None:
            return
        given = context.argument(node, 1 if method.attr.value == "update" else 0, "gradients")
        if given is not None and _is_pair(context.value(given)):
            context.report(self, given, because=[given], gradients=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.5)
        model.bias = mx.array([1.0])
        pair = optim.clip_grad_norm({"bias": mx.array([3.0])}, 1.0)
        hazard = raises(lambda: optimizer.update(model, pair), TypeError, ValueError, AttributeError)
        optimizer.update(model, pair[0])
        return Evidence(hazard, shown(abs(model.bias.item() - 0.5) < 1e-3, f"the bias is {model.bias.item():.3f}"))


def _is_pair(value: Value) -> bool:
    if not isinstance(value, Sequence) or value.items is None or len(value.items) != 2:
        return False
    norm = as_array(value.items[1])
    return is_gradients(value.items[0]) and norm is not None and norm.op == "mlx.optimizers.clip_grad_norm"
