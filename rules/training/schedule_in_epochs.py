from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.layers import SCHEDULES
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

LENGTHS = {
    "cosine_decay": (1, "decay_steps"),
    "exponential_decay": (None, ""),
    "join_schedules": (None, ""),
    "linear_schedule": (2, "steps"),
    "step_decay": (2, "step_size"),
}
EPOCHS = re.compile(r"(^|_)(n_?|num_?|max_?|total_?)?epochs?$", re.IGNORECASE)


class ScheduleInEpochs(Rule):
    """The length of a schedule is given in epochs

    ## What it does
    Finds `optim.cosine_decay`, `optim.linear_schedule` and `optim.step_decay` whose number of steps is a name like
    `epochs`.

    ## PyTorch and MLX
    A scheduler of PyTorch's is stepped by hand, mostly once in each epoch. A schedule of MLX's counts the
    optimizer's updates: one given the number of epochs ends after as many batches.

    ## Example
    ```python
    import mlx.optimizers as optim

    epochs = 10
    schedule = optim.cosine_decay(0.1, epochs)
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    epochs, batches = 10, 500
    schedule = optim.cosine_decay(0.1, epochs * batches)
    ```

    ## References
    - [Schedulers](https://ml-explore.github.io/mlx/build/html/python/optimizers/schedulers.html)
    """

    code = "MLX233"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset(LENGTHS)
    message = "a schedule counts updates of the optimizer, and `{length}` speaks of epochs"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee not in SCHEDULES:
            return
        index, name = LENGTHS[callee.rpartition(".")[2]]
        length = context.argument(node, index, name)
        last = length.attr.value if isinstance(length, cst.Attribute) else getattr(length, "value", None)
        if length is not None and isinstance(length, (cst.Name, cst.Attribute)) and EPOCHS.search(str(last)):
            context.report(self, length, length=context.brief(length))

    @staticmethod
    def repro(epochs: int = 10, batches: int = 50) -> Evidence:
        import mlx.core as mx
        import mlx.optimizers as optim

        halfway = mx.array(epochs * batches // 2)
        return Evidence(
            differs(optim.cosine_decay(0.1, epochs)(halfway), 0.05),
            agrees(optim.cosine_decay(0.1, epochs * batches)(halfway), 0.05),
        )
