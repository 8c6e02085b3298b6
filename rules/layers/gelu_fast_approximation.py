from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

_MEANT = re.compile(r"[Qq]uick|QUICK|\bCLIP\b|[Cc]lip_?([Vv]ision|[Tt]ext)")  # models trained with the fast form


class GeluFastApproximation(Rule):
    """MLX's "fast" GELU is not PyTorch's tanh approximation

    ## What it does
    Finds `nn.GELU(approx="fast")` and `nn.gelu_fast_approx`. It is a warning where the file shows that PyTorch's
    behaviour is meant, and a note elsewhere.

    ## PyTorch and MLX
    What PyTorch calls `approximate="tanh"`, and Transformers `gelu_new`, `gelu_fast` or `gelu_pytorch_tanh`, is MLX's
    `approx="precise"` (or `"tanh"`, `nn.gelu_approx`). MLX's `"fast"` is `x * sigmoid(1.702 x)`, which Transformers
    calls `quick_gelu`: it differs in the second decimal.

    ## Example
    ```python
    # Port of a PyTorch model.
    import mlx.nn as nn

    act = nn.GELU(approx="fast")
    ```

    ## Use instead
    ```python
    # Port of a PyTorch model with the tanh approximation.
    import mlx.nn as nn

    act = nn.GELU(approx="precise")
    ```

    ## Fix safety
    The fix takes the tanh approximation. It is unsafe: a model that was trained with `quick_gelu` wants "fast".

    ## References
    - [GELU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GELU.html)
    """

    code = "MLX345"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"GELU", "gelu_fast_approx"})
    message = "MLX's fast GELU is `x * sigmoid(1.702 x)`; what PyTorch calls the tanh approximation is {remedy}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee == "mlx.nn.GELU":
            approx = context.argument(node, 0, "approx")
            if approx is not None and constant(context.value(approx), str) == "fast":
                fix = NodeFix('Use "precise"', [Replace(approx, '"precise"')], Applicability.UNSAFE)
                self._report(
                    node,
                    fix if isinstance(approx, (cst.SimpleString, cst.ConcatenatedString)) else None,
                    '`"precise"`',
                    context,
                )
        elif callee == "mlx.nn.gelu_fast_approx":
            self._report(node, None, "`nn.gelu_approx`", context)

    def _report(self, node: cst.Call, fix: NodeFix | None, remedy: str, context: Context) -> None:
        if not _MEANT.search(context.module.text):
            context.report_default(self, node, fix=fix, remedy=remedy)

    @staticmethod
    def repro() -> Evidence:
        import math

        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([-2.0, -0.5, 1.0])
        expected = 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return Evidence(
            differs(nn.GELU(approx="fast")(x), expected, 1e-3), agrees(nn.GELU(approx="precise")(x), expected)
        )
