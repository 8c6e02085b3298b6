from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

from ._gradients import is_module
from ._optimizers import as_optimizer


class OptimizerInitWithModule(Rule):
    """`optimizer.init` is given a model instead of its trainable parameters

    ## What it does
    Finds `optimizer.init(model)`.

    ## PyTorch and MLX
    `init` makes the optimizer's state for a tree of parameters. A module is a dict of all its arrays, so that it is
    accepted: there is state for frozen weights and running statistics too, which for a model with adapters is most
    of the memory.

    ## Example
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
    optimizer.init(model)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
    optimizer.init(model.trainable_parameters())
    ```

    ## Fix safety
    The fix takes the trainable parameters. It is safe: an update touches no others.

    ## References
    - [Optimizer.init](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Optimizer.init.html)
    """

    code = "MLX230"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"init"})
    message = "`init` is given the module `{model}`: there is state for its frozen arrays too"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if as_optimizer(context.receiver(node)) is None:
            return
        model = context.argument(node, 0, "parameters")
        if model is None or not is_module(context.value(model)):
            return
        fix = NodeFix(
            "Give the trainable parameters", [Insert(model, ".trainable_parameters()", after=True)], Applicability.SAFE
        )
        context.report(self, node, because=[model], model=context.brief(model), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(2, 1)
        model.freeze(keys=["weight"])
        whole, trainable = optim.SGD(0.1, momentum=0.9), optim.SGD(0.1, momentum=0.9)
        whole.init(model)
        trainable.init(model.trainable_parameters())
        return Evidence(
            shown("weight" in whole.state, "there is state for the frozen weight"),
            shown("weight" not in trainable.state, "there is none"),
        )
