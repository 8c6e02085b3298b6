from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._optimizers import as_optimizer, is_schedule, learning_rate


class ScheduleOverruled(Rule):
    """A learning rate is assigned to an optimizer that has a schedule

    ## What it does
    Finds assignments to `learning_rate` of an optimizer that was made with a schedule or another function as its
    rate.

    ## PyTorch and MLX
    A schedule is evaluated at the start of every `update`, and its result becomes the learning rate: what was
    assigned before is lost. PyTorch's schedulers change the rate only when they are stepped.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=optim.cosine_decay(0.1, 100))
    optimizer.learning_rate = 0.01
    ```

    ## Use instead
    Let the schedule say it:

    ```python
    import mlx.optimizers as optim

    decay = optim.cosine_decay(0.1, 100)
    scale = 1.0
    optimizer = optim.SGD(learning_rate=lambda step: scale * decay(step))
    ```

    ## References
    - [Schedulers](https://ml-explore.github.io/mlx/build/html/python/optimizers/schedulers.html)
    """

    code = "MLX205"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "the optimizer has a schedule, which overwrites this learning rate at the next update"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            self._check(target.target, node, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node.target, node, context)

    def _check(self, target: cst.BaseExpression, node: cst.CSTNode, context: Context) -> None:
        if not isinstance(target, cst.Attribute) or target.attr.value != "learning_rate":
            return
        optimizer = as_optimizer(context.value(target.value))
        if optimizer is not None and is_schedule(learning_rate(optimizer)):
            context.report(self, node, because=[target.value])

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(2, 1)
        gradients = {"bias": model.bias * 0}
        scheduled, constant = optim.SGD(optim.linear_schedule(0.5, 0.5, 10)), optim.SGD(0.5)
        for optimizer in (scheduled, constant):
            optimizer.learning_rate = 0.125
            optimizer.update(model, gradients)
        return Evidence(
            shown(
                scheduled.learning_rate.item() == 0.5, f"after the update the rate is {scheduled.learning_rate.item()}"
            ),
            shown(constant.learning_rate.item() == 0.125, f"without a schedule it is {constant.learning_rate.item()}"),
        )
