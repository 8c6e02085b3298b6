from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, differs, shown

from .._shared import with_keyword

_HE = frozenset({"mlx.nn.init.he_normal()", "mlx.nn.init.he_uniform()"})


class HeGain(Rule):
    """He initialisation without `gain` draws weights smaller than PyTorch's by the square root of two

    ## What it does
    Finds the functions that `nn.init.he_normal` and `nn.init.he_uniform` return called without `gain`. It is a warning
    where the file shows that PyTorch's behaviour is meant, and a note elsewhere.

    ## PyTorch and MLX
    `kaiming_normal_` and `kaiming_uniform_` have a gain of √2 by default, that of ReLU. MLX's has a gain of 1: the
    variance of each layer is half of it, and deep networks start with vanishing activations. Give `gain=2**0.5`.

    ## Example
    ```python
    # PyTorch: nn.init.kaiming_normal_(weight, nonlinearity="relu")
    import mlx.core as mx
    import mlx.nn as nn

    weight = nn.init.he_normal()(mx.zeros((64, 64)))
    ```

    ## Use instead
    ```python
    # PyTorch: nn.init.kaiming_normal_(weight, nonlinearity="relu")
    import mlx.core as mx
    import mlx.nn as nn

    weight = nn.init.he_normal()(mx.zeros((64, 64)), gain=2**0.5)
    ```

    ## Fix safety
    The fix adds `gain=2**0.5`. It is unsafe: other nonlinearities have other gains.

    ## References
    - [he_normal](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.init.he_normal.html)
    """

    code = "MLX378"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset(name.rpartition(".")[2] for name in _HE)
    message = "`nn.init.{name}` has a gain of 1 here, PyTorch's of the square root of 2"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _HE or not node.args or context.arguments(node).starred:
            return
        if context.argument(node, 2, "gain") is not None:
            return
        name = callee[len("mlx.nn.init.") : -2]
        fix = NodeFix("Give ReLU's gain", [with_keyword(node, "gain=2**0.5", context)], Applicability.UNSAFE)
        context.report_default(self, node, name=name, fix=fix, repro={"name": name})

    @staticmethod
    def repro(name: Literal["he_normal", "he_uniform"] = "he_normal") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        weight, fill = mx.zeros((400, 400)), getattr(nn.init, name)()
        expected = (2 / 400) ** 0.5
        gained = mx.std(fill(weight, gain=2**0.5)).item()
        return Evidence(
            differs(mx.std(fill(weight)), expected, 2e-3, "deviation"),
            shown(abs(gained - expected) < 2e-3, f"deviation {gained:.4f}"),
        )
