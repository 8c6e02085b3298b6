from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.port import Sign
from mlxlint.model.values import Const, Sequence
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules.kernels._flow import sources

_SYMMETRIC = frozenset({"ones", "full", "zeros", "hanning", "hamming", "blackman", "bartlett", "eye"})
_TORCH = re.compile(r"\b(?:F|functional)\.conv1d\b")


class ConvolveTurnsKernel(Rule):
    """`mx.convolve` turns the kernel round, and PyTorch's convolutions do not

    ## What it does
    Finds `mx.convolve` with a kernel that is not known to be symmetric. It is a note, and a warning where the file
    speaks of `conv1d` or is seen to be a port.

    ## PyTorch and MLX
    `torch.nn.functional.conv1d` multiplies the signal by the kernel as it stands (a cross-correlation), and so does
    `mx.conv1d`. `mx.convolve` is NumPy's: it reads the kernel from its end. With a kernel that is not symmetric the
    numbers are others.

    ## Example
    ```python
    import mlx.core as mx

    signal = mx.array([1.0, 2.0, 3.0, 4.0])
    slope = mx.convolve(signal, mx.array([-1.0, 0.0, 1.0]), mode="valid")  # F.conv1d(signal, kernel)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    signal = mx.array([1.0, 2.0, 3.0, 4.0])
    kernel = mx.array([-1.0, 0.0, 1.0])
    slope = mx.conv1d(signal[None, :, None], kernel[None, :, None])[0, :, 0]
    ```

    ## References
    - [convolve](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.convolve.html)
    """

    code = "MLX496"
    kind = Kind.SILENT
    severity = Severity.INFO
    calls = frozenset({"convolve"})
    message = "`mx.convolve` reads `{kernel}` from its end, `conv1d` from its beginning"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.convolve" or context.arguments(node).starred:
            return
        kernel = context.argument(node, 1, "v")
        if kernel is None or _is_symmetric(kernel, context):
            return
        sign = Sign("words", "the file speaks of `conv1d`") if _TORCH.search(context.module.text) else None
        context.report_default(
            self, node, sign=sign, because=[kernel], confidence=Confidence.LIKELY, kernel=context.brief(kernel)
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, kernel = mx.array([1.0, 2.0, 4.0]), mx.array([1.0, 0.0, -1.0])
        expected = [-3.0]
        correlated = mx.conv1d(x[None, :, None], kernel[None, :, None])[0, :, 0]
        return Evidence(differs(mx.convolve(x, kernel, mode="valid"), expected), agrees(correlated, expected))


def _is_symmetric(kernel: cst.BaseExpression, context: Context) -> bool:
    """Whether a kernel is known to read the same from both ends, or is turned round itself."""
    for made in sources(kernel, context):
        if isinstance(made, cst.Subscript):
            return any(isinstance(e.slice, cst.Slice) and e.slice.step is not None for e in made.slice)
        if isinstance(made, cst.Call) and made.args:
            name = (context.callee(made) or "").rpartition(".")[2]
            given = context.value(made.args[0].value)
            if name in _SYMMETRIC:
                return True
            if name == "array" and isinstance(given, Sequence) and given.items is not None:
                numbers = [item.value if isinstance(item, Const) else item for item in given.items]
                return numbers == numbers[::-1]
    return False
