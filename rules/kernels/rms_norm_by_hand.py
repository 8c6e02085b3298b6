from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity

from ._measure import accuracy_gain
from ._norms import normalisation


class RmsNormByHand(Rule):
    """An RMS norm is written out, where MLX has it in one function

    ## What it does
    Finds an array that is divided by the root of its mean square over the last axis, whatever its parts are called.
    It is advice.

    ## PyTorch and MLX
    Llama's PyTorch code writes its norm out. `mx.fast.rms_norm` and `nn.RMSNorm` are one kernel on a GPU instead of
    five, and sum the squares of half precision in `float32` on any device.

    ## Example
    ```python
    import mlx.core as mx


    def normalised(x, weight):
        return x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5) * weight
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def normalised(x, weight):
        return mx.fast.rms_norm(x, weight, 1e-5)
    ```

    ## References
    - [rms_norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.rms_norm.html)
    """

    code = "MLX851"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset({"rsqrt", "sqrt"})
    message = "this is an RMS norm: `mx.fast.rms_norm` computes it in one step, and more accurately"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = normalisation(node, context)
        if found is not None and not found.centred:
            context.report(self, node, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(features: int = 1024) -> Evidence:
        import mlx.core as mx

        x = mx.random.normal((64, features), key=mx.random.key(0)).astype(mx.float16)
        return accuracy_gain(
            lambda x: x * mx.rsqrt(mx.mean(x * x, axis=-1, keepdims=True) + 1e-5),
            lambda x: mx.fast.rms_norm(x, None, 1e-5),
            x,
        )
