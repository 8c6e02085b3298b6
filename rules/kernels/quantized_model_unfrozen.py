from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import Sequence, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from ._quantized import CALLS, after, quantized


class QuantizedModelUnfrozen(Rule):
    """A quantised model is unfrozen as a whole

    ## What it does
    Finds `model.unfreeze()`, without keys or with those of weights, below `nn.quantize(model)` in the same function.

    ## PyTorch and MLX
    PyTorch's quantised layers keep their packed weights out of training, whatever is set. `nn.quantize` freezes them,
    and `unfreeze` makes them trainable again: the first gradient raises `RuntimeError`, "no gradient wrt the
    quantized weights". Adapters train beside frozen weights, and single layers can be unfrozen that are not quantised.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64), nn.RMSNorm(64))
    nn.quantize(model)
    model.unfreeze()
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64), nn.RMSNorm(64))
    nn.quantize(model)
    model.layers[1].unfreeze()
    ```

    ## References
    - [nn.quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.quantize.html)
    """

    code = "MLX812"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = CALLS
    message = "`{model}` is quantised, and packed weights have no gradient: unfreeze what is not quantised alone"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        model = quantized(node, context)
        for part in after(node, model, context) if model is not None else ():
            if isinstance(part, cst.Call) and _unfreezes(part, model, context):
                context.report(
                    self, part, because=[("quantised here", node)], model=model, confidence=Confidence.LIKELY
                )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def gradients(everything: bool) -> object:
            model = nn.Sequential(nn.Linear(64, 64), nn.RMSNorm(64))
            nn.quantize(model)
            (model if everything else model.layers[1]).unfreeze()
            found = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((1, 64)))
            mx.eval(found)
            return found[1]["layers"][1]["weight"].shape

        hazard = raises(lambda: gradients(True), RuntimeError, text="no gradient")
        return Evidence(hazard, shown(gradients(False) == (64,), "the norm alone has gradients"))


def _unfreezes(call: cst.Call, model: str | None, context: Context) -> bool:
    """Whether a call makes all weights of a model trainable again."""
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "unfreeze":
        return False
    if dotted(call.func.value) != model or any(arg.star for arg in call.args):
        return False
    if context.argument(call, None, "recurse") is not None:
        return False
    keys = context.argument(call, None, "keys")
    given = context.value(keys)
    named = given.items or () if isinstance(given, Sequence) else (given,)
    return keys is None or any(constant(each, str) == "weight" for each in named)
