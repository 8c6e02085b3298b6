from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    RemoveStatement,
    Rule,
    Severity,
    raises,
    shown,
)

from ._optimizers import is_schedule, method_call

METHODS = ("step", "get_last_lr", "get_lr", "state_dict", "load_state_dict")


class ScheduleStepped(Rule):
    """A schedule is stepped as if it were an object

    ## What it does
    Finds `schedule.step()`, `schedule.get_last_lr()` and `schedule.state_dict()` on what `optim.cosine_decay`,
    `optim.step_decay`, `optim.join_schedules` and their like return, and on functions used as schedules.

    ## PyTorch and MLX
    A scheduler of PyTorch's holds the optimizer and changes its rate at each `step()`. A schedule of MLX's is a
    plain function from the number of updates to the rate. The optimizer that was given it calls it in every
    `update`.

    ## Example
    ```python
    import mlx.optimizers as optim

    schedule = optim.cosine_decay(0.1, 100)
    optimizer = optim.SGD(learning_rate=schedule)
    schedule.step()
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    schedule = optim.cosine_decay(0.1, 100)
    optimizer = optim.SGD(learning_rate=schedule)
    rate = optimizer.learning_rate
    ```

    ## Fix safety
    A `step()` is left out. It is unsafe: in PyTorch a scheduler may be stepped once an epoch, and MLX's counts updates.

    ## References
    - [Schedulers](https://ml-explore.github.io/mlx/build/html/python/optimizers/schedulers.html)
    """

    code = "MLX206"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{schedule}` is a function of the step and has no `{name}()`: the optimizer calls it in `update`"
    calls = frozenset("." + name for name in METHODS)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        method = method_call(node, *METHODS)
        if method is None or not is_schedule(context.value(method.value)):
            return
        name = method.attr.value
        statement = context.parent(node)
        fix = None
        if name == "step" and isinstance(statement, cst.Expr):
            fix = NodeFix("Leave it out", [RemoveStatement(statement)], Applicability.UNSAFE)
        context.report(
            self, node, because=[method.value], schedule=context.brief(method.value), name=name, fix=fix,
            repro={"name": name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "step") -> Evidence:
        import mlx.core as mx
        import mlx.optimizers as optim

        schedule = optim.cosine_decay(0.1, 100)
        hazard = raises(lambda: getattr(schedule, name)(), AttributeError)
        rate = schedule(mx.array(100)).item()
        return Evidence(hazard, shown(abs(rate) < 1e-6, f"schedule(100) is {rate}"))
