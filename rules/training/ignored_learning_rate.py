from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs

from .._shared import with_keyword
from ._optimizers import constructor


class IgnoredLearningRate(Rule):
    """Adafactor ignores the learning rate it is given

    ## What it does
    Finds `optim.Adafactor` with a learning rate and without `relative_step=False`.

    ## PyTorch and MLX
    With `relative_step=True`, MLX's default, Adafactor computes the rate from the step and ignores the one it is
    given. PyTorch's uses the given one.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.Adafactor(learning_rate=1e-4)
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    optimizer = optim.Adafactor(learning_rate=1e-4, relative_step=False)
    ```

    ## Fix safety
    The fix adds `relative_step=False`. It changes the training and is unsafe.

    ## References
    - [Adafactor](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Adafactor.html)
    """

    code = "MLX213"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"Adafactor"})
    message = "`optim.Adafactor` ignores this learning rate unless `relative_step=False`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        arguments = context.arguments(node)
        rate = arguments.get(0, "learning_rate")
        if constructor(node, context) != "Adafactor" or arguments.starred or rate is None:
            return
        value = context.value(rate.value)
        if arguments.get(7, "relative_step") is not None or (
            constant(value, (int, float)) is None and not _is_number(value)
        ):
            return
        fix = NodeFix(
            "Add `relative_step=False`", [with_keyword(node, "relative_step=False", context)], Applicability.UNSAFE
        )
        context.report(self, rate, because=[rate.value], fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def first_step(**options: bool) -> mx.array:
            model = nn.Linear(1, 1)
            model.bias = mx.array([0.0])
            optimizer = optim.Adafactor(learning_rate=1e-4, scale_parameter=False, **options)
            optimizer.update(model, {"bias": mx.array([2.0])})
            return model.bias

        return Evidence(differs(first_step(), [-1e-4], 1e-6), agrees(first_step(relative_step=False), [-1e-4], 1e-6))


def _is_number(value: object) -> bool:
    return getattr(value, "type", None) in ("float", "int")
