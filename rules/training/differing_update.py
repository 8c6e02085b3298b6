from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._optimizers import constructor, is_schedule


@dataclass(frozen=True)
class Update:
    """What an optimizer of MLX's does to the parameters, and PyTorch's of that name does not."""

    mlx: str
    torch: str
    argument: tuple[int, str] | None = None  # one that has to be there, and not zero


_UPDATES = {
    "Adamax": Update("does not correct the first moment's bias", "divides by `1 - beta1 ** step`"),
    "SGD": Update("dampens the first gradient too", "begins with the whole gradient", (3, "dampening")),
    "Muon": Update("adds the weight decay to the gradient, before that is made orthogonal", "shrinks the weights"),
}


class DifferingUpdate(Rule):
    """An optimizer updates parameters otherwise than PyTorch's of that name

    ## What it does
    Finds `optim.Adamax`, `optim.Muon` and `optim.SGD` with `dampening`. It is a warning where the file shows that
    PyTorch's behaviour is meant, and a note elsewhere.

    ## PyTorch and MLX
    `Adamax` has no bias correction and no argument for it: its first step is a tenth of PyTorch's. `SGD` dampens the
    very first gradient, which PyTorch takes whole. `Muon` adds the weight decay to the gradient, which is made
    orthogonal then, so that large weights do not shrink more than small ones; its default is 0.01, PyTorch's 0.1.

    ## Example
    ```python
    # Port of a PyTorch training script.
    import mlx.optimizers as optim

    optimizer = optim.Adamax(learning_rate=2e-3)
    ```

    ## Use instead
    ```python
    # Port of a PyTorch training script.
    import mlx.optimizers as optim

    optimizer = optim.Adamax(learning_rate=lambda step: 2e-3 / (1 - 0.9 ** (step + 1)))
    ```

    ## References
    - [Adamax](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Adamax.html)
    - [Muon](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Muon.html)
    - [SGD](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.SGD.html)
    """

    code = "MLX232"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset(_UPDATES)
    message = "`optim.{optimizer}` {mlx}; PyTorch's {torch}"
    yields_to = ("optimizer-argument-order",)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = constructor(node, context)
        update = _UPDATES.get(name or "")
        if update is None or context.arguments(node).starred or not _applies(update, name, node, context):
            return
        context.report_default(
            self, node, confidence=CERTAIN, optimizer=name, mlx=update.mlx, torch=update.torch,
            repro={"optimizer": name},
        )  # fmt: skip

    @staticmethod
    def repro(optimizer: Literal["Adamax", "SGD", "Muon"] = "Adamax") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def first_step(chosen: optim.Optimizer, gradient: mx.array) -> mx.array:
            model = nn.Linear(2, 2, bias=False)
            model.weight = mx.array([[4.0, 0.0], [0.0, 1.0]])
            chosen.update(model, {"weight": gradient})
            return model.weight - mx.array([[4.0, 0.0], [0.0, 1.0]])

        if optimizer == "Adamax":
            ones, corrected = mx.ones((2, 2)), optim.Adamax(lambda step: 0.1 / (1 - 0.9 ** (step + 1)))
            expected = mx.full((2, 2), -0.1)
            return Evidence(differs(first_step(optim.Adamax(0.1), ones), expected),
                            agrees(first_step(corrected, ones), expected))  # fmt: skip
        if optimizer == "SGD":
            ones, expected = mx.ones((2, 2)), mx.full((2, 2), -0.1)
            return Evidence(differs(first_step(optim.SGD(0.1, 0.9, dampening=0.5), ones), expected),
                            agrees(first_step(optim.SGD(0.1, 0.9), ones), expected))  # fmt: skip
        nothing, decayed = mx.zeros((2, 2)), mx.array([[-0.04, 0.0], [0.0, -0.01]])
        muon = first_step(optim.Muon(0.1, weight_decay=0.1), nothing)
        by_hand = first_step(optim.Muon(0.1, weight_decay=0.0), nothing) - 0.1 * 0.1 * mx.array([[4.0, 0.0], [0.0, 1]])
        return Evidence(differs(muon, decayed), agrees(by_hand, decayed))


def _applies(update: Update, name: str | None, node: cst.Call, context: Context) -> bool:
    """Whether the optimizer is given what makes the difference, or as PyTorch's form of the rate has it not undone."""
    if update.argument is not None:
        given = context.argument(node, *update.argument)
        return given is not None and constant(context.value(given), (int, float)) != 0
    if name == "Muon":
        decay = context.argument(node, 2, "weight_decay")
        return decay is None or constant(context.value(decay), (int, float)) != 0
    rate = context.argument(node, 0, "learning_rate")
    return rate is not None and not is_schedule(context.value(rate))
