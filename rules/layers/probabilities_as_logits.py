from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs, shown
from mlxlint.rules._shared import with_keyword

from ._layouts import operand
from ._losses import loss_name, produced_by

_PRODUCERS = {
    "binary_cross_entropy": ("sigmoid", "Sigmoid", "softmax", "Softmax"),
    "cross_entropy": ("softmax", "Softmax"),
}
_SHAPING = frozenset({"squeeze", "reshape", "flatten", "astype", "expand_dims"})


class ProbabilitiesAsLogits(Rule):
    """A cross entropy is given probabilities, and takes them for logits

    ## What it does
    Finds `nn.losses.binary_cross_entropy` without `with_logits=False` whose input is the result of a sigmoid or
    softmax, and `nn.losses.cross_entropy` whose input is the result of a softmax.

    ## PyTorch and MLX
    `F.binary_cross_entropy` takes probabilities, and `F.binary_cross_entropy_with_logits` logits. MLX has one function
    for both, and it takes logits unless `with_logits=False` is given. With probabilities it trains, on another loss.
    `cross_entropy` takes logits in both. Given probabilities, which lie between 0 and 1, it stays above zero however
    good they are, and its gradients hardly tell right from wrong.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    scores, clicks = mx.array([-1.0, 2.0]), mx.array([0.0, 1.0])
    loss = nn.losses.binary_cross_entropy(mx.sigmoid(scores), clicks)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    scores, clicks = mx.array([-1.0, 2.0]), mx.array([0.0, 1.0])
    loss = nn.losses.binary_cross_entropy(scores, clicks)
    ```

    Or keep the probabilities and pass `with_logits=False`. For `cross_entropy` leave the softmax to the loss.

    ## Fix safety
    The fix adds `with_logits=False` to `binary_cross_entropy`. It changes the loss, and is unsafe.

    ## References
    - [binary_cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.binary_cross_entropy.html)
    """

    code = "MLX322"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset(_PRODUCERS)
    message = "`{inputs}` holds probabilities, and `nn.losses.{loss}` takes them for logits{unless}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        loss = loss_name(node, context, *_PRODUCERS)
        inputs = context.argument(node, 0, "inputs", "logits")
        if loss is None or inputs is None or not produced_by(_unshaped(inputs, context), *_PRODUCERS[loss]):
            return
        fix, unless = None, ""
        if loss == "binary_cross_entropy":
            stated = context.argument(node, 3, "with_logits")
            if stated is not None and constant(context.value(stated), bool) is not True:
                return
            unless = " without `with_logits=False`"
            if stated is None:
                edits = [with_keyword(node, "with_logits=False", context)]
                fix = NodeFix("Add `with_logits=False`", edits, Applicability.UNSAFE)
        context.report(
            self, node, because=[inputs], fix=fix, repro={"loss": loss},
            inputs=context.brief(inputs), loss=loss, unless=unless,
        )  # fmt: skip

    @staticmethod
    def repro(loss: str = "binary_cross_entropy") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        p, y = mx.array([0.2, 0.9]), mx.array([0.0, 1.0])
        compute = getattr(nn.losses, loss)
        if loss == "cross_entropy":
            logits, label = mx.array([[-9.0, 9.0]]), mx.array([1])
            of_shares = compute(mx.softmax(logits, axis=-1), label).item()
            hazard = shown(of_shares > 0.3, f"{of_shares:.4f} for a prediction that is certain and right")
            return Evidence(hazard, agrees(compute(logits, label), 0.0))
        expected = -(y * mx.log(p) + (1 - y) * mx.log(1 - p)).mean()
        return Evidence(differs(compute(p, y), expected), agrees(compute(p, y, with_logits=False), expected))


def _unshaped(node: cst.BaseExpression, context: Context) -> Value:
    """What an array was before it was given another shape or dtype."""
    value = context.value(node)
    for _ in range(3):
        origin = value.node
        if not isinstance(origin, cst.Call) or not produced_by(value, *_SHAPING):
            break
        inner = operand(origin, context)
        value = value if inner is None else context.value(inner)
    return value
