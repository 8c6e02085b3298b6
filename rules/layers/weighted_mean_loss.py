from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

from ._losses import loss_name, reduction


class WeightedMeanLoss(Rule):
    """A weighted `cross_entropy` is averaged over the number of targets instead of the sum of their weights

    ## What it does
    Finds `nn.losses.cross_entropy(…, weights=w, reduction="mean")` where `w` are class weights looked up with the
    targets, or a mask over the targets.

    ## PyTorch and MLX
    `F.cross_entropy(weight=…)` and `ignore_index=…` divide the sum by the weights of the targets that count. MLX
    divides by the number of all targets: with a mask the loss shrinks as more is ignored.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    class_weights = mx.array([1.0, 5.0, 2.0])
    logits, targets = mx.zeros((4, 3)), mx.array([0, 2, 1, 1])
    loss = nn.losses.cross_entropy(logits, targets, weights=class_weights[targets], reduction="mean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    class_weights = mx.array([1.0, 5.0, 2.0])
    logits, targets = mx.zeros((4, 3)), mx.array([0, 2, 1, 1])
    weights = class_weights[targets]
    loss = nn.losses.cross_entropy(logits, targets, weights=weights, reduction="sum") / weights.sum()
    ```

    ## Fix safety
    The losses are added up and divided by the sum of the weights. It is unsafe: the mean over all may be meant.

    ## References
    - [cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html)
    """

    code = "MLX326"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"cross_entropy"})
    message = (
        "the mean is over all targets, not over the weights `{weights}` as in PyTorch: sum, and divide by their sum"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "cross_entropy") is None or reduction(node, context) != "mean":
            return
        weights = context.argument(node, 2, "weights")
        if weights is not None and _counts_targets(weights, context):
            context.report(
                self, node, because=[weights], confidence=LIKELY, weights=context.brief(weights),
                fix=_fix(node, weights, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        table, logits, targets = mx.array([1.0, 5.0]), mx.array([[2.0, 0.0], [0.0, 1.0]]), mx.array([0, 1])
        weights, loss = table[targets], nn.losses.cross_entropy
        each = loss(logits, targets)
        expected = (each * weights).sum() / weights.sum()
        mean = loss(logits, targets, weights=weights, reduction="mean")
        return Evidence(
            differs(mean, expected),
            agrees(loss(logits, targets, weights=weights, reduction="sum") / weights.sum(), expected),
        )


def _counts_targets(node: cst.CSTNode | None, context: Context, depth: int = 6) -> bool:
    """Whether weights are a table indexed with an array, or a mask from a comparison."""
    array = context.array(node)
    if array is None or depth == 0:
        return False
    origin, op = array.node, (array.op or "").rpartition(".")[2]
    if op == "__getitem__" and isinstance(origin, cst.Subscript) and len(origin.slice) == 1:
        index = origin.slice[0].slice
        return isinstance(index, cst.Index) and context.array(index.value) is not None
    if op in ("!=", ">=", ">") and isinstance(origin, cst.Comparison):
        return True
    if op == "astype" and isinstance(origin, cst.Call) and isinstance(origin.func, cst.Attribute):
        return _counts_targets(origin.func.value, context, depth - 1)
    if op == "*" and isinstance(origin, cst.BinaryOperation):
        return any(_counts_targets(side, context, depth - 1) for side in tree.children(origin))
    return op in ("take", "not_equal")


def _fix(node: cst.Call, weights: cst.BaseExpression, context: Context) -> NodeFix | None:
    stated = context.arguments(node).keywords.get("reduction")
    if stated is None or tree.dotted(weights) is None:
        return None
    edits: list[NodeEdit] = [
        Insert(node, "("),
        Replace(stated.value, '"sum"'),
        Insert(node, f" / {context.text(weights)}.sum())", after=True),
    ]
    return NodeFix("Divide by the sum of the weights", edits, Applicability.UNSAFE)
