from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import UNKNOWN, Function, Value, members, scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

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
        returned = list(returns(schedule.code))
        if returned and all(_is_number(value) for value in returned):
            context.report(self, rate)

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
    """What the ``return`` statements of a function, or the body of a lambda, are known to give."""
    if isinstance(code.node, cst.Lambda):
        yield code.module.values.get(code.node.body, UNKNOWN)
        return
    for node in tree.walk(code.node.body, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
        if isinstance(node, cst.Return) and node.value is not None:
            yield code.module.values.get(node.value, UNKNOWN)


def _computes_with_number(code: FunctionCode) -> bool:
    """Whether a function is called elsewhere, too, with a number for the step, with which it does more than compare."""
    step = code.positional[0].name.value if code.positional else None
    used = (n for n in tree.walk(code.node.body, (cst.Comparison,)) if isinstance(n, cst.Name) and n.value == step)
    return any(_is_number(code.module.values.get(name, UNKNOWN)) for name in used)


def _is_number(value: Value) -> bool:
    return all(scalar_type(member) in ("int", "float") for member in members(value))
