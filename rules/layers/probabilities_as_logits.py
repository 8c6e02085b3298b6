from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._shared import with_keyword

from ._layouts import operand
from ._losses import loss_name, produced_by

_SHAPING = frozenset({"squeeze", "reshape", "flatten", "astype", "expand_dims"})


class ProbabilitiesAsLogits(Rule):
    """`binary_cross_entropy` is given probabilities, and takes them for logits

    ## What it does
    Finds `nn.losses.binary_cross_entropy` without `with_logits=False` whose input is the result of a sigmoid or
    softmax.

    ## PyTorch and MLX
    `F.binary_cross_entropy` takes probabilities, and `F.binary_cross_entropy_with_logits` logits. MLX has one function
    for both, and it takes logits unless `with_logits=False` is given. With probabilities it trains, on another loss.

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

    Or keep the probabilities and pass `with_logits=False`.

    ## Fix safety
    The fix adds `with_logits=False`. It changes the loss, and is unsafe.

    ## References
    - [binary_cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.binary_cross_entropy.html)
    """

    code = "MLX322"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"binary_cross_entropy"})
    message = (
        "`{inputs}` holds probabilities, and `nn.losses.binary_cross_entropy` takes them for logits without "
        "`with_logits=False`"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "binary_cross_entropy") is None:
            return
        inputs, stated = context.argument(node, 0, "inputs"), context.argument(node, 3, "with_logits")
        if inputs is None or not produced_by(_unshaped(inputs, context), "sigmoid", "Sigmoid", "softmax", "Softmax"):
            return
        if stated is None or constant(context.value(stated), bool) is True:
            fix = None
            if stated is None:
                fix = NodeFix(
                    "Add `with_logits=False`",
                    [with_keyword(node, "with_logits=False", context)],
                    Applicability.UNSAFE,
                )
            context.report(self, node, because=[inputs], fix=fix, inputs=context.brief(inputs))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        p, y = mx.array([0.2, 0.9]), mx.array([0.0, 1.0])
        expected = -(y * mx.log(p) + (1 - y) * mx.log(1 - p)).mean()
        loss = nn.losses.binary_cross_entropy
        return Evidence(differs(loss(p, y), expected), agrees(loss(p, y, with_logits=False), expected))


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
