from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, shown
from mlxlint.rules._operations import operation

LOG = frozenset({"log"})
SOFTMAX = frozenset({"mlx.core.softmax", "mlx.core.array.softmax", "mlx.nn.softmax", "mlx.nn.Softmax.__call__"})


class LogOfSoftmax(Rule):
    """The logarithm of a softmax

    ## What it does
    Finds `mx.log(mx.softmax(x))`, also where the softmax is bound to a name first. Where it goes straight to
    `mx.random.categorical`, for which minus infinity is as good, it is left alone.

    ## PyTorch and MLX
    PyTorch's `log_softmax` is one function; `mx` has none of this name, and `mx.log(mx.softmax(x))` is not the same:
    a probability that is too small for the dtype is zero, its logarithm minus infinity, and the gradient NaN. In
    float16 that begins 17 below the largest logit. `nn.log_softmax` computes `x - mx.logsumexp(x)`.

    ## Example
    ```python
    import mlx.core as mx

    logits = mx.array([0.0, 200.0])
    logprobs = mx.log(mx.softmax(logits, axis=-1))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits = mx.array([0.0, 200.0])
    logprobs = nn.log_softmax(logits, axis=-1)
    ```

    ## Fix safety
    The fix is unsafe: the numbers change where they were wrong.

    ## References
    - [mlx.nn.log_softmax](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.log_softmax.html)
    """

    code = "MLX443"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "small probabilities are zero, and `{log}` is minus infinity there"
    calls = LOG

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, LOG)
        array = None if found is None else context.array(found.subject)
        if found is None or array is None or array.op not in SOFTMAX:
            return
        outer = context.parent(context.parent(node) or node)
        if isinstance(outer, cst.Call) and context.callee(outer) == "mlx.core.random.categorical":
            return
        context.report(
            self, node, because=[found.subject], log=context.brief(node), fix=_fix(node, found.subject, context)
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([0.0, 200.0])
        got, slope = mx.log(mx.softmax(x)), mx.grad(lambda x: mx.log(mx.softmax(x))[0])(x)
        hazard = shown(mx.isinf(got[0]).item() and mx.isnan(slope).any().item(), f"{got.tolist()}, {slope.tolist()}")
        return Evidence(hazard, agrees(nn.log_softmax(x, axis=-1), [-200.0, 0.0]))


def _fix(node: cst.Call, subject: cst.BaseExpression, context: Context) -> NodeFix | None:
    """One function for both, where the softmax stands in the logarithm and says its axis."""
    if not isinstance(subject, cst.Call) or context.callee(subject) not in ("mlx.core.softmax", "mlx.nn.softmax"):
        return None
    axis, nn = context.argument(subject, 1, "axis"), context.alias("mlx.nn")
    logits = context.argument(subject, 0, "a", "x")
    if axis is None or logits is None or not isinstance(constant(context.value(axis), int), int):
        return None
    given, along = context.text(logits), f"axis={context.text(axis)}"
    if nn is not None:
        edit = Replace(node, f"{nn}.log_softmax({given}, {along})")
        return NodeFix("Use `nn.log_softmax`", [edit], Applicability.UNSAFE)
    mx = context.alias("mlx.core")
    if mx is None or not isinstance(logits, cst.Name):
        return None
    edit = Replace(node, f"({given} - {mx}.logsumexp({given}, {along}, keepdims=True))")
    return NodeFix("Subtract the `logsumexp`", [edit], Applicability.UNSAFE)
