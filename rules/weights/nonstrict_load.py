from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown


class NonstrictLoad(Rule):
    """`load_weights(strict=False)` says nothing of names and shapes that do not fit

    ## What it does
    Finds `load_weights` with `strict=False`.

    ## PyTorch and MLX
    `load_state_dict(strict=False)` returns the missing and unexpected names, and still raises for wrong shapes. MLX's
    `load_weights(strict=False)` reports neither: a misspelt name leaves a layer random, and an array of another shape
    replaces the layer's. Rename and filter the weights, and load strictly.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Linear(2, 2)
    model.load_weights("model.safetensors", strict=False)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 2)
    weights = {"model.weight": mx.zeros((2, 2)), "model.bias": mx.zeros((2,))}
    model.load_weights([(name.removeprefix("model."), array) for name, array in weights.items()])
    ```

    ## References
    - [Module.load_weights](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.load_weights.html)
    """

    code = "MLX905"
    kind = Kind.SILENT
    severity = Severity.INFO
    calls = frozenset({"load_weights"})
    message = "`strict=False` accepts misspelt names and wrong shapes without a word"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.nn.") or not callee.endswith(".load_weights"):
            return
        strict = context.argument(node, 1, "strict")
        if strict is not None and constant(context.value(strict), bool) is False:
            context.report(self, node)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 2)
        before = mx.array(layer.weight)
        layer.load_weights([("wieght", mx.zeros((2, 2)))], strict=False)
        ignored = bool(mx.array_equal(layer.weight, before).item())
        hazard = shown(ignored, "a misspelt name is ignored")
        remedy = raises(lambda: layer.load_weights([("wieght", mx.zeros((2, 2)))]), ValueError)
        return Evidence(hazard, remedy)
