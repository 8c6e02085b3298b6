from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

_SAME = {"mlx.nn.elu": "celu", "mlx.nn.ELU": "CELU"}  # with alpha=1 they are one function
_ACTIVATIONS = frozenset({*_SAME, "mlx.nn.selu", "mlx.nn.SELU"})
_TRAINS = re.compile(r"value_and_grad|mx\.grad\b")
_HALF = re.compile(r"\bfloat16\b")


class OverflowingActivation(Rule):
    """The gradients of `elu` and `selu` are NaN for large inputs

    ## What it does
    Finds `nn.elu`, `nn.ELU`, `nn.selu` and `nn.SELU` in files that differentiate. It is a warning in a file that uses
    `float16` as well, and a note elsewhere.

    ## PyTorch and MLX
    MLX computes `where(x > 0, x, alpha * (exp(x) - 1))`. For a large `x` the exponential overflows in the branch that
    is not taken, and its gradient, 0 times infinity, is NaN: above 88.7, or above 11 in `float16`. The output and the
    loss are right, and after the update the weights are NaN. PyTorch's gradient is 1. `celu` limits its argument; with
    `alpha=1` it is the same function as `elu`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    gradient = mx.grad(lambda x: nn.elu(x).sum())(mx.array([100.0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    gradient = mx.grad(lambda x: nn.celu(x).sum())(mx.array([100.0]))
    ```

    ## Fix safety
    The fix takes `celu` for `elu` where no `alpha` is given. It is safe: the outputs are the same. There is none for
    `selu`; write `mx.where(x > 0, x, 1.67326 * (mx.exp(mx.minimum(x, 0)) - 1)) * 1.0507`.

    ## References
    - [elu](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.elu.html)
    - [celu](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.celu.html)
    """

    code = "MLX363"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset(name.rpartition(".")[2] for name in _ACTIVATIONS)
    message = "the gradient of `nn.{function}` is NaN for inputs above {limit}, where the exponential overflows"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        text = context.module.text
        if callee not in _ACTIVATIONS or not _TRAINS.search(text):
            return
        half = _HALF.search(text) is not None
        context.report(
            self, node, confidence=CERTAIN, severity=Severity.WARNING if half else Severity.INFO,
            function=callee.removeprefix("mlx.nn."), limit=11 if half else 88.7, fix=_fix(node, callee, context),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([100.0])
        bad, good = (mx.grad(lambda x, f=f: f(x).sum())(x).item() for f in (nn.elu, nn.celu))
        return Evidence(shown(bad != bad, f"gradient {bad}, PyTorch: 1.0"), shown(good == 1, f"gradient {good}"))


def _fix(node: cst.Call, callee: str, context: Context) -> NodeFix | None:
    """Another function under the same module's name: ``nn.celu(x)`` for ``nn.elu(x)``."""
    other = _SAME.get(callee)
    plain = not context.arguments(node).starred and context.argument(node, 1 if other == "celu" else 0, "alpha") is None
    if other is None or not plain or not isinstance(node.func, cst.Attribute):
        return None
    return NodeFix(f"Use `nn.{other}`", [Replace(node.func.attr, other)], Applicability.SAFE)
