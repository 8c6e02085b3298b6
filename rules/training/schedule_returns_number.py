from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import UNKNOWN, Function, Value, members, scalar_type
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from .._shared import returned
from ._optimizers import constructor


class ScheduleReturnsNumber(Rule):
    """A schedule returns a Python number

    ## What it does
    Finds functions given to an optimizer as its learning rate that return a Python number: a constant, a choice
    between two, the result of `math.cos`, `min` or `float`.

    ## PyTorch and MLX
    The function given to PyTorch's `LambdaLR` gets an `int` and returns a factor. A schedule of MLX's gets an array
    that counts the updates and returns the rate as an array: the optimizer calls `astype` on it, which a number
    does not have.

    ## Example
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=lambda step: 0.1 if step < 10 else 0.01)
    optimizer.update(model, {"bias": model.bias})
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=lambda step: mx.where(step < 10, 0.1, 0.01))
    optimizer.update(model, {"bias": model.bias})
    ```

    ## References
    - [Schedulers](https://ml-explore.github.io/mlx/build/html/python/optimizers/schedulers.html)
    """

    code = "MLX226"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "this schedule returns a Python number; the optimizer needs an array"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args or constructor(node, context) is None:
            return
        rate = context.argument(node, 0, "learning_rate")
        schedule = context.value(rate)
        if rate is None or not isinstance(schedule, Function):
            return
        if _computes_with_number(schedule.code):
            return  # what it makes of the optimizer's array is not known
        values = list(returns(schedule.code))
        if values and all(_is_number(value) for value in values):
            context.report(self, rate)
        elif any(_ends_in_number(node, schedule.code, context) for node in returned(schedule.code)):
            context.report(self, rate, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(2, 1)
        gradients = {"bias": model.bias}
        hazard = raises(
            lambda: optim.SGD(lambda step: 0.1 if step < 3 else 0.2).update(model, gradients), AttributeError
        )
        optimizer = optim.SGD(lambda step: mx.where(step < 3, 0.5, 0.25))
        optimizer.update(model, gradients)
        return Evidence(
            hazard, shown(optimizer.learning_rate.item() == 0.5, f"the rate is {optimizer.learning_rate.item()}")
        )


def returns(code: FunctionCode) -> Iterator[Value]:
    """What is returned, as far as it is known."""
    return (code.module.values.get(node, UNKNOWN) for node in returned(code))


def _ends_in_number(node: cst.BaseExpression, code: FunctionCode, context: Context) -> bool:
    """Whether an expression is a number from some step on: one branch of several, or beyond a bound of ``min``."""
    if isinstance(node, cst.Name):
        assigns = (part for part in tree.walk(code.node.body) if isinstance(part, cst.Assign))
        bound = [each.value for each in assigns if tree.dotted(each.targets[0].target) == node.value]
        return len(bound) == 1 and _ends_in_number(bound[0], code, context)
    if isinstance(node, cst.BinaryOperation):
        return all(_ends_in_number(side, code, context) for side in (node.left, node.right))
    if isinstance(node, cst.IfExp):
        return any(_ends_in_number(branch, code, context) for branch in (node.body, node.orelse))
    if isinstance(node, cst.Call) and context.callee(node) in ("builtins.min", "builtins.max"):
        return len(node.args) > 1 and any(_is_number(code.module.values.get(a.value, UNKNOWN)) for a in node.args)
    return _is_number(code.module.values.get(node, UNKNOWN))


def _computes_with_number(code: FunctionCode) -> bool:
    """Whether a function is called elsewhere, too, with a number for the step, with which it does more than compare."""
    step = code.positional[0].name.value if code.positional else None
    used = (n for n in tree.walk(code.node.body, (cst.Comparison,)) if isinstance(n, cst.Name) and n.value == step)
    return any(_is_number(code.module.values.get(name, UNKNOWN)) for name in used)


def _is_number(value: Value) -> bool:
    return all(scalar_type(member) in ("int", "float") for member in members(value))
