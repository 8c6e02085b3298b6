from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import ClassCode
from mlxlint.model.values import LIKELY, Array, Instance, Sequence, Value, constant, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

_NORM = "mlx.nn.BatchNorm"


class StatisticsUnfrozen(Rule):
    """`unfreeze()` makes the running statistics of batch normalisation trainable

    ## What it does
    Finds `unfreeze()` without `keys` on a module that holds an `nn.BatchNorm`, in files that do not freeze
    `running_mean` again.

    ## PyTorch and MLX
    In PyTorch the running statistics are buffers, which no optimizer touches. In MLX they are arrays that
    `nn.BatchNorm` has frozen; `unfreeze()` of the model around it unfreezes them with all the others, and they get
    zero gradients, weight decay and a place in the optimizer's state.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm(3))
    model.freeze()
    model.unfreeze()
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm(3))
    model.freeze()
    model.unfreeze()
    model.freeze(keys=["running_mean", "running_var"])
    ```

    ## References
    - [Module.unfreeze](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.unfreeze.html)
    """

    code = "MLX360"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"unfreeze"})
    message = "`unfreeze()` makes `running_mean` and `running_var` of the batch normalisation in it trainable"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not callee.startswith("mlx.nn.") or context.arguments(node).starred or "running_mean" in context.module.text:
            return
        recurse, keys = context.argument(node, None, "recurse"), context.argument(node, None, "keys")
        if keys is not None or (recurse is not None and constant(context.value(recurse), bool) is False):
            return
        receiver = context.receiver(node)
        if isinstance(receiver, Instance) and receiver.type != _NORM and _holds_norm(receiver):
            context.report(self, node, confidence=LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm(3))

        def trains() -> bool:
            return "layers.1.running_mean" in dict(tree_flatten(model.trainable_parameters()))

        model.unfreeze()
        hazard = shown(trains(), "after unfreeze() running_mean is trainable")
        model.freeze(keys=["running_mean", "running_var"])
        return Evidence(hazard, shown(not trains(), "after freeze(keys=…) it is not"))


def _holds_norm(value: Value, seen: tuple[ClassCode, ...] = ()) -> bool:
    """Whether a module, or a module in it, normalises over the batch."""
    if isinstance(value, Sequence):
        return _holds_norm(value.joined(), seen)
    if not isinstance(value, Instance):
        return False
    if value.code is None:
        return value.type == _NORM or any(_holds_norm(arg, seen) for arg in value.args)
    if value.code in seen:
        return False
    stored = (v for code in value.code.ancestry()[0] for v in code.attributes.values() if not isinstance(v, Array))
    return any(_holds_norm(member, (*seen, value.code)) for v in stored for member in members(v))
