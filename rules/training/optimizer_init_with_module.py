from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import CERTAIN, LIKELY, UNKNOWN
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

from ._gradients import is_module
from ._optimizers import as_optimizer

_OPTIMIZER = re.compile(r"(^|_)opt(im|imi[sz]er)?$", re.IGNORECASE)
_MODEL = re.compile(r"(^|_)(model|network|net|module|model_instance)$", re.IGNORECASE)


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
    The fix takes the trainable parameters, and an update touches no others. It is unsafe where only their names tell
    what the optimizer and the model are.

    ## References
    - [Optimizer.init](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Optimizer.init.html)
    """

    code = "MLX230"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"init", ".init"})
    message = "`init` is given the module `{model}`: there is state for its frozen arrays too"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value != "init":
            return
        model = context.argument(node, 0, "parameters")
        if model is None or not (is_optimizer := _is_optimizer(node.func.value, context)):
            return
        is_model = _is_model(model, context)
        if not is_model:
            return
        confidence = min(is_optimizer, is_model)
        applicability = Applicability.SAFE if confidence == CERTAIN else Applicability.UNSAFE
        fix = NodeFix("Give the trainable parameters", [Insert(model, ".trainable_parameters()", after=True)],
                      applicability)  # fmt: skip
        context.report(self, node, because=[model], confidence=confidence, model=context.brief(model), fix=fix)

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


def _is_optimizer(node: cst.BaseExpression, context: Context) -> int | None:
    """How surely this is one of MLX's optimizers: its value says so, or its name, in a file of MLX's."""
    value = context.value(node)
    if as_optimizer(value) is not None:
        return CERTAIN
    named = value is UNKNOWN and _OPTIMIZER.search(_last(node)) is not None
    return LIKELY if named and context.frameworks & {"mlx", "mlx_lm"} else None


def _is_model(node: cst.BaseExpression, context: Context) -> int | None:
    """How surely this is a module: its value says so, or its name."""
    value = context.value(node)
    if is_module(value):
        return CERTAIN
    return LIKELY if value is UNKNOWN and _MODEL.search(_last(node)) else None


def _last(node: cst.BaseExpression) -> str:
    return (dotted(node) or "").rpartition(".")[2]
