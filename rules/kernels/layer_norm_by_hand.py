from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity

from ._measure import accuracy_gain
from ._norms import normalisation


class LayerNormByHand(Rule):
    """A layer norm is written out, where MLX has it in one function

    ## What it does
    Finds an array from which its mean over the last axis is taken and that is divided by the root of its variance,
    whatever its parts are called. It is advice.

    ## PyTorch and MLX
    `torch.nn.functional.layer_norm` is `mx.fast.layer_norm`, and `nn.LayerNorm` has its name. On a GPU it is one
    kernel instead of ten, and on any device it keeps mean and variance of half precision in `float32`.

    ## Example
    ```python
    import mlx.core as mx


    def normalised(x, weight, bias):
        centred = x - mx.mean(x, axis=-1, keepdims=True)
        return centred * mx.rsqrt(mx.mean(centred * centred, axis=-1, keepdims=True) + 1e-5) * weight + bias
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def normalised(x, weight, bias):
        return mx.fast.layer_norm(x, weight, bias, 1e-5)
    ```

    ## References
    - [layer_norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.layer_norm.html)
    """

    code = "MLX852"
    kind = Kind.COST
    severity = Severity.INFO
    yields_to = ("population-variance",)
    calls = frozenset({"rsqrt", "sqrt"})
    message = "this is a layer norm: `mx.fast.layer_norm` computes it in one step, and more accurately"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = normalisation(node, context)
        if found is not None and found.centred:
            context.report(self, node, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(features: int = 1024) -> Evidence:
        import mlx.core as mx

        def by_hand(x: mx.array) -> mx.array:
            centred = x - mx.mean(x, axis=-1, keepdims=True)
            return centred * mx.rsqrt(mx.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)

        x = (mx.random.normal((64, features), key=mx.random.key(0)) * 3 + 20).astype(mx.float16)
        return accuracy_gain(by_hand, lambda x: mx.fast.layer_norm(x, None, None, 1e-5), x)
