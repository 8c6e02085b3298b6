from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises, shown
from mlxlint.rules._operations import operation

ROUNDED = frozenset("exp sin cos erf erfinv sigmoid softmax logsumexp".split())
TRANSFORMS = frozenset(f"fft.{name}" for name in "fft ifft fft2 ifft2 fftn ifftn rfft rfft2 rfftn".split())
DRAWS = frozenset("uniform gumbel truncated_normal".split())
SAVE = "mlx.core.save_safetensors"
FIRST = {"rounded": "has the accuracy of float32", "fft": "returns complex64, half of the digits"}


class DoublePrecisionLost(Rule):
    """Double precision that MLX computes in single precision, or does not take

    ## What it does
    Finds `exp`, `sin`, `cos`, `erf`, `erfinv`, `sigmoid`, `softmax`, `logsumexp` and Fourier transforms of `float64`
    arrays, and `float64` given to `mx.random.uniform` and `mx.save_safetensors`.

    ## PyTorch and MLX
    PyTorch computes in `float64` throughout. MLX's `float64` is for the CPU alone, and these operations round to
    `float32` on the way: `exp` is infinite above 88, and 9 of 16 digits are noise. Drawing uniform numbers in
    `float64` and saving it to safetensors raise `RuntimeError`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 100.0], dtype=mx.float64)
    y = mx.exp(x, stream=mx.cpu)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.array([1.0, 100.0], dtype=mx.float64)
    y = np.exp(np.array(x))
    ```

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX482"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{call}` of float64 {consequence}"
    calls = frozenset(name.rpartition(".")[2] for name in ROUNDED | TRANSFORMS | DRAWS) | {"save_safetensors"}

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee == SAVE:
            self._check_saved(node, context)
        elif callee.startswith("mlx.core.random."):
            dtype = context.argument(node, None, "dtype")
            if callee.rpartition(".")[2] in DRAWS and context.qualified(dtype) == "mlx.core.float64":
                self._report(node, node, "random", "raises RuntimeError", context)
        else:
            found = operation(node, context, ROUNDED | TRANSFORMS)
            array = None if found is None else context.array(found.subject)
            if found is not None and array is not None and array.dtype == "float64":
                case = "fft" if found.name in TRANSFORMS else "rounded"
                self._report(node, found.subject, case, FIRST[case], context)

    def _check_saved(self, node: cst.Call, context: Context) -> None:
        arrays = context.value(context.argument(node, 1, "arrays"))
        if isinstance(arrays, Dict) and any(
            getattr(item, "dtype", None) == "float64" for item in arrays.items.values()
        ):
            self._report(node, node, "saved", "raises RuntimeError", context)

    def _report(self, node: cst.Call, because: cst.CSTNode, case: str, consequence: str, context: Context) -> None:
        severity = Severity.WARNING if case in FIRST else Severity.ERROR
        context.report(
            self, node, because=[because], severity=severity, call=context.brief(node.func), consequence=consequence,
            repro={"case": case},
        )  # fmt: skip

    @staticmethod
    def repro(case: str = "rounded") -> Evidence:
        import math
        import tempfile

        import mlx.core as mx

        with mx.stream(mx.cpu):
            x = mx.array([1.0, 100.0], dtype=mx.float64)
            kept = agrees(mx.log(x), [0.0, math.log(100.0)])
            if case == "random":
                return Evidence(raises(lambda: mx.random.uniform(shape=(2,), dtype=mx.float64), RuntimeError), kept)
            if case == "saved":
                with tempfile.TemporaryDirectory() as folder:
                    return Evidence(raises(lambda: mx.save_safetensors(f"{folder}/x", {"x": x}), RuntimeError), kept)
            if case == "fft":
                return Evidence(shown(mx.fft.fft(x).dtype == mx.complex64, "fft of float64: complex64"), kept)
            got: list[float] = mx.exp(x).tolist()
            return Evidence(
                shown(math.isinf(got[1]), f"exp(100) in float64: {got[1]}, PyTorch: {math.exp(100):.3g}"), kept
            )
