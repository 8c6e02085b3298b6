from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)
from mlxlint.rules._shared import is_port

WINDOWS = frozenset({"hanning", "hamming", "blackman", "bartlett"})
SPECTRAL = re.compile(r"stft|fft\b|spectrogram", re.IGNORECASE)


class SymmetricWindow(Rule):
    """A symmetric window where PyTorch's is periodic

    ## What it does
    Finds `mx.hanning`, `mx.hamming`, `mx.blackman` and `mx.bartlett` used whole. It is a warning in a file that
    speaks of PyTorch or of spectra and information elsewhere.

    ## PyTorch and MLX
    `torch.hann_window(n)` and its kin are periodic by default, as short-time Fourier transforms need. MLX's are
    symmetric, as NumPy's. The first n of a symmetric window of n + 1 are the periodic one.

    ## Example
    ```python
    import mlx.core as mx

    window = mx.hanning(400)  # for an STFT
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    window = mx.hanning(401)[:-1]  # for an STFT
    ```

    ## Fix safety
    Unsafe: right where PyTorch's default is meant; filter design wants the symmetric window.

    ## References
    - [mlx.core.hanning](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.hanning.html)
    """

    code = "MLX461"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{call}` is symmetric, PyTorch's windows are periodic by default"
    calls = WINDOWS

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if (
            (context.callee(node) or "").removeprefix("mlx.core.") not in WINDOWS
            or len(node.args) != 1
            or node.args[0].star
            or _is_cut(node, context)
        ):
            return
        length = node.args[0].value
        known = constant(context.value(length), int)
        longer = (
            str(known + 1)
            if isinstance(length, cst.Integer) and isinstance(known, int)
            else f"{context.text(length)} + 1"
        )
        edits = [Replace(node, f"{context.text(node.func)}({longer})[:-1]")]
        severity = Severity.WARNING if is_port(context) or SPECTRAL.search(context.module.text) else Severity.INFO
        context.report(
            self, node, severity=severity, confidence=Confidence.LIKELY, call=context.brief(node),
            fix=NodeFix("Cut the last of one more", edits, Applicability.UNSAFE),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        periodic = [0.0, 0.5, 1.0, 0.5]
        return Evidence(differs(mx.hanning(4), periodic), agrees(mx.hanning(5)[:-1], periodic))


def _is_cut(node: cst.Call, context: Context) -> bool:
    """Whether a part of the window is taken at once."""
    parent = context.parent(node)
    return isinstance(parent, cst.Subscript) and parent.value is node
