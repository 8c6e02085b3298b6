from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Name, Scalar, Sequence, Value, members, scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._gradients import TRANSFORMS
from .schedule_returns_number import returns


class LossNotFirst(Rule):
    """A differentiated function does not return the loss as an array, first

    ## What it does
    Finds functions given to `mx.grad`, `mx.value_and_grad` and `nn.value_and_grad` that return a Python number
    (`loss.item()`, `float(loss)`), a dict, or a tuple that begins with one of these.

    ## PyTorch and MLX
    `backward()` is called on the loss, whatever the function around it returns. In MLX the value that is returned
    first is what is differentiated: it must be an array with one element. What follows it in a tuple is passed
    through.

    ## Example
    ```python
    import mlx.core as mx


    def loss_fn(w):
        loss = (w * w).sum()
        return loss.item()


    gradient = mx.grad(loss_fn)(mx.array([1.0, 2.0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss_fn(w):
        loss = (w * w).sum()
        return loss


    gradient = mx.grad(loss_fn)(mx.array([1.0, 2.0]))
    ```

    ## References
    - [value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.value_and_grad.html)
    """

    code = "MLX227"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"grad", "value_and_grad"})
    message = "`{function}` returns {what}; the function to differentiate must return the loss as an array, first"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if not isinstance(called, Name) or called.name not in TRANSFORMS:
            return
        index = 1 if called.name == "mlx.nn.value_and_grad" else 0
        function = context.argument(node, index, "fn", "fun")
        code = None if function is None else context.function(context.value(function))
        if function is None or code is None:
            return
        found = [_what(value) for value in returns(code)]
        if found and all(found):
            context.report(self, function, function=context.brief(function), what=found[0])

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0])
        hazard = raises(lambda: mx.grad(lambda w: (w * w).sum().item())(x), ValueError)
        (loss, _), _ = mx.value_and_grad(lambda w: ((w * w).sum(), w))(x)
        return Evidence(hazard, shown(loss.item() == 5.0, f"the loss is {loss.item()}, what follows is passed through"))


def _what(value: Value) -> str | None:
    for member in members(value):
        if isinstance(member, Sequence) and member.kind == "tuple" and member.items:
            member = member.items[0]
        if isinstance(member, Dict):
            return "a dict"
        if not (isinstance(member, Scalar) or scalar_type(member)):
            return None
    return "a Python number"
