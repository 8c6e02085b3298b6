from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

_MEANT = re.compile(r"tanh|gelu_new|gelu_fast|approximate", re.IGNORECASE)


class GeluPreciseApproximation(Rule):
    """MLX's "precise" GELU is an approximation

    ## What it does
    Notes `nn.GELU(approx="precise")` in files where nothing speaks of the tanh approximation.

    ## PyTorch and MLX
    PyTorch's `nn.GELU()` and Transformers' `gelu` are exact, and so is MLX's `nn.GELU()`. MLX's `"precise"` is the more
    precise of two approximations: the one with `tanh`, which PyTorch calls `approximate="tanh"`. It differs from the
    exact one in the fourth decimal. MLX also takes `"tanh"` for it, which says what it is.

    ## Example
    ```python
    import mlx.nn as nn

    act = nn.GELU(approx="precise")
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    act = nn.GELU()
    ```

    ## Fix safety
    The fix takes the exact GELU. It is unsafe: a model that was trained with the approximation wants that.

    ## References
    - [GELU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GELU.html)
    """

    code = "MLX398"
    kind = Kind.SILENT
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
    calls = frozenset({"GELU"})
    message = '`approx="precise"` is the approximation with tanh: the exact GELU is `nn.GELU()`'

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        approx = context.argument(node, 0, "approx") if context.callee(node) == "mlx.nn.GELU" else None
        if approx is None or constant(context.value(approx), str) != "precise":
            return
        if not _MEANT.search(context.module.text):
            fix = NodeFix("Use the exact GELU", [Replace(node, f"{context.text(node.func)}()")], Applicability.UNSAFE)
            context.report(self, node, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([-2.0, -0.5, 1.0, 2.0])
        exact = x * (1 + mx.erf(x / 2**0.5)) / 2
        return Evidence(differs(nn.GELU(approx="precise")(x), exact, 2e-5), agrees(nn.GELU()(x), exact, 2e-5))
