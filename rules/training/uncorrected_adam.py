from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.port import Sign
from mlxlint.model.values import CERTAIN, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs

from .._shared import with_keyword
from ._optimizers import constructor

POSITIONS = {"Adam": 3, "AdamW": 4}  # where bias_correction stands
TORCH_VALUES = {"betas": ((0.9, 0.999), [0.9, 0.999]), "eps": (1e-8,), "weight_decay": (0.01, 1e-2)}


class UncorrectedAdam(Rule):
    """Adam without bias correction

    ## What it does
    Finds `optim.Adam` and `optim.AdamW` made without `bias_correction`. It is a warning where the file shows that
    PyTorch's behaviour is meant: it speaks of PyTorch, or it spells out PyTorch's own default values. Elsewhere it
    is a note.

    ## PyTorch and MLX
    PyTorch always divides the running averages by `1 - beta ** step`. MLX does so only with `bias_correction=True`.
    Without it the first update is about three times as large, and the runs differ for hundreds of steps.

    ## Example
    ```python
    # Port of a PyTorch training script.
    import mlx.optimizers as optim

    optimizer = optim.AdamW(learning_rate=1e-3)
    ```

    ## Use instead
    ```python
    # Port of a PyTorch training script.
    import mlx.optimizers as optim

    optimizer = optim.AdamW(learning_rate=1e-3, bias_correction=True)
    ```

    ## Fix safety
    The fix adds `bias_correction=True`. It changes the training and is unsafe.

    ## References
    - [Adam](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Adam.html)
    - [AdamW](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.AdamW.html)
    """

    code = "MLX210"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset(POSITIONS)
    message = "`optim.{optimizer}` does no bias correction unless `bias_correction=True`; PyTorch's always does"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = constructor(node, context)
        arguments = context.arguments(node)
        if name not in POSITIONS or arguments.starred or arguments.get(POSITIONS[name], "bias_correction") is not None:
            return
        fix = NodeFix(
            "Add `bias_correction=True`", [with_keyword(node, "bias_correction=True", context)], Applicability.UNSAFE
        )
        context.report_default(
            self, node, sign=context.port or _sign(node, context), confidence=CERTAIN, fix=fix, optimizer=name,
            repro={"optimizer": name},
        )  # fmt: skip

    @staticmethod
    def repro(optimizer: Literal["Adam", "AdamW"] = "Adam") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def first_step(correct: bool) -> mx.array:
            model = nn.Linear(1, 1)
            model.bias = mx.array([0.0])
            getattr(optim, optimizer)(0.1, bias_correction=correct).update(model, {"bias": mx.array([2.0])})
            return model.bias

        return Evidence(differs(first_step(False), [-0.1]), agrees(first_step(True), [-0.1]))


def _sign(node: cst.Call, context: Context) -> Sign | None:
    """What the call itself shows of PyTorch's optimizer being meant: it spells out a default of PyTorch's."""
    for name, values in TORCH_VALUES.items():
        given = context.arguments(node).keywords.get(name)
        if given is not None and _literal(given.value, context) in values:
            return Sign("values", f"`{name}` is given PyTorch's default")
    return None


def _literal(node: cst.BaseExpression, context: Context) -> object:
    if isinstance(node, (cst.Tuple, cst.List)):
        return tuple(constant(context.value(e.value), (int, float)) for e in node.elements)
    return constant(context.value(node), (int, float))
