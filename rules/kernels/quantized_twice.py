from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._quantized import CALLS, after, quantized


class QuantizedTwice(Rule):
    """A model that is quantised already is quantised again

    ## What it does
    Finds a second `nn.quantize` of the same model in a function, where neither chooses layers.

    ## PyTorch and MLX
    PyTorch's tools mostly refuse a model that is quantised. `nn.quantize` converts layers that can be: quantised ones
    cannot, and stay as they are without a word, with the bits and the group size of the first call.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64))
    nn.quantize(model, bits=4)
    nn.quantize(model, bits=8)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64))
    nn.quantize(model, bits=8)
    ```

    ## References
    - [nn.quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.quantize.html)
    """

    code = "MLX813"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = CALLS
    message = "`{model}` is quantised by now: this changes none of its layers"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        model = quantized(node, context)
        if model is None or _chooses(node, context):
            return
        for part in after(node, model, context):
            if isinstance(part, cst.Call) and quantized(part, context) == model and _comes_second(node, part, context):
                context.report(
                    self, part, because=[("quantised here", node)], model=model, confidence=Confidence.LIKELY
                )
                return

    @staticmethod
    def repro(first: int = 4, second: int = 8) -> Evidence:
        import mlx.nn as nn

        def bits(*given: int) -> int:
            model = nn.Sequential(nn.Linear(64, 64))
            for each in given:
                nn.quantize(model, bits=each)
            return int(model.layers[0].bits)

        twice, once = bits(first, second), bits(second)
        return Evidence(
            shown(twice == first, f"{first}, then {second} bits: {twice}"), shown(once == second, f"{second}: {once}")
        )


def _chooses(call: cst.Call, context: Context) -> bool:
    """Whether a call quantises some layers only, or may."""
    return (
        context.arguments(call).starred
        or context.argument(call, None, "class_predicate", "quant_predicate") is not None
    )


def _comes_second(first: cst.Call, second: cst.Call, context: Context) -> bool:
    """Whether control that has passed the first call reaches the second: they are not two branches."""
    around = set(context.ancestors(second))
    suites = (cst.IndentedBlock, cst.SimpleStatementSuite)
    blocks = (ancestor for ancestor in context.ancestors(first) if isinstance(ancestor, suites))
    return not _chooses(second, context) and all(block in around for block in blocks)
