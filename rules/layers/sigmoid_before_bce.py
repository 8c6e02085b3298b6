from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, shown

from ._losses import loss_name, produced_by

_SIGMOIDS = frozenset({"mlx.core.sigmoid", "mlx.nn.sigmoid", "mlx.core.array.sigmoid"})


class SigmoidBeforeBce(Rule):
    """Binary cross-entropy of probabilities from a sigmoid, whose gradient is NaN where they are 0 or 1

    ## What it does
    Finds `nn.losses.binary_cross_entropy(…, with_logits=False)` of what a sigmoid returned.

    ## PyTorch and MLX
    PyTorch's `F.binary_cross_entropy` limits the logarithms and their gradients. MLX limits the logarithms alone:
    where float32 rounds the sigmoid to 0 or 1, from a logit of about 17, the gradient is NaN. The loss of the
    logits has no such limit.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, targets = mx.zeros((4,)), mx.ones((4,))
    loss = nn.losses.binary_cross_entropy(mx.sigmoid(logits), targets, with_logits=False)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, targets = mx.zeros((4,)), mx.ones((4,))
    loss = nn.losses.binary_cross_entropy(logits, targets)
    ```

    ## Fix safety
    Where the sigmoid stands in the call, the fix gives its argument and `with_logits=True`. It is unsafe: the loss is
    the same up to rounding, and differs where it was cut off.

    ## References
    - [binary_cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.binary_cross_entropy.html)
    """

    code = "MLX374"
    kind = Kind.SILENT
    severity = Severity.INFO
    fixable = Fixable.SOMETIMES
    calls = frozenset({"binary_cross_entropy"})
    message = "the gradient is NaN where `{input}` is rounded to 0 or 1: give the logits, `with_logits=True`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "binary_cross_entropy") is None:
            return
        stated = context.argument(node, 3, "with_logits")
        given = context.argument(node, 0, "inputs")
        if stated is None or given is None or constant(context.value(stated), bool) is not False:
            return
        if produced_by(context.value(given), "sigmoid", "Sigmoid"):
            context.report(self, node, because=[given], fix=_fix(given, stated, context), input=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x, y = mx.array([30.0, -120.0]), mx.array([1.0, 0.0])
        loss = nn.losses.binary_cross_entropy
        gradient = mx.grad(lambda z: loss(mx.sigmoid(z), y, with_logits=False))(x)
        return Evidence(
            shown(mx.any(mx.isnan(gradient)).item(), f"gradient {gradient.tolist()}"),
            agrees(mx.grad(lambda z: loss(z, y))(x), mx.zeros(2)),
        )


def _fix(given: cst.BaseExpression, stated: cst.BaseExpression, context: Context) -> NodeFix | None:
    if not isinstance(given, cst.Call) or context.callee(given) not in _SIGMOIDS or len(given.args) != 1:
        return None
    edits = [Replace(given, context.text(given.args[0].value)), Replace(stated, "True")]
    return NodeFix("Give the logits", edits, Applicability.UNSAFE)
