from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._losses import loss_name


class CosineSimilarityMinimised(Rule):
    """`cosine_similarity_loss` is minimised, which pushes pairs apart

    ## What it does
    Finds `nn.losses.cosine_similarity_loss` returned, or stored as a loss, without `1 - …` or a minus sign.

    ## PyTorch and MLX
    `F.cosine_embedding_loss` for matching pairs is one minus the similarity. MLX's `cosine_similarity_loss` is the
    similarity itself: 1 for equal vectors. Minimising it makes matching pairs point away from each other.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    def loss_fn(query, item):
        return nn.losses.cosine_similarity_loss(query, item, reduction="mean")


    loss = loss_fn(mx.ones((2, 3)), mx.ones((2, 3)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    def loss_fn(query, item):
        return 1.0 - nn.losses.cosine_similarity_loss(query, item, reduction="mean")


    loss = loss_fn(mx.ones((2, 3)), mx.ones((2, 3)))
    ```

    ## Fix safety
    The fix subtracts the similarity from one. It is unsafe: making vectors unlike may be what is meant.

    ## References
    - [cosine_similarity_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cosine_similarity_loss.html)
    """

    code = "MLX324"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"cosine_similarity_loss"})
    message = (
        "`nn.losses.cosine_similarity_loss` is the similarity itself (1 for equal vectors): minimising it "
        "pushes the pairs apart"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "cosine_similarity_loss") is not None and _is_minimised(node, context):
            edit = Replace(node, f"(1 - {context.text(node)})")
            fix = NodeFix("Subtract it from one", [edit], Applicability.UNSAFE)
            context.report(self, node, confidence=LIKELY, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([[1.0, 0.0]])
        same, opposite = nn.losses.cosine_similarity_loss(x, x).item(), nn.losses.cosine_similarity_loss(x, -x).item()
        return Evidence(
            shown(opposite < same, f"equal vectors: {same}, opposite vectors: {opposite}"),
            shown(1 - same < 1 - opposite, "1 - similarity is least for equal vectors"),
        )


def _is_minimised(call: cst.Call, context: Context) -> bool:
    """Whether the similarity, its sign unchanged, is what a loss function returns or a name with "loss" in it holds."""
    node: cst.CSTNode = call
    for parent in context.ancestors(call):
        if isinstance(parent, cst.BinaryOperation):
            if isinstance(parent.operator, cst.Subtract) and parent.right is node:
                return False
            if _has_negative(parent, node):
                return False
        elif isinstance(parent, cst.UnaryOperation):
            return False
        elif isinstance(parent, cst.Return):
            function = context.enclosing_function(call)
            return function is not None and _speaks_of_loss(function.name)
        elif isinstance(parent, cst.Assign):
            target = parent.targets[0].target
            return (
                isinstance(target, cst.Name)
                and _speaks_of_loss(target.value)
                and not _is_subtracted(target.value, call, context)
            )
        elif not isinstance(parent, (cst.Call, cst.Attribute, cst.Arg)) or (
            isinstance(parent, cst.Call)
            and context.callee(parent)
            not in ("mlx.core.mean", "mlx.core.sum", "mlx.core.array.mean", "mlx.core.array.sum")
        ):
            return False
        node = parent
    return False


def _speaks_of_loss(name: str) -> bool:
    return any(word in name.lower() for word in ("loss", "criterion", "objective", "__call__", "<lambda>"))


def _has_negative(operation: cst.BinaryOperation, side: cst.CSTNode) -> bool:
    other = operation.left if operation.right is side else operation.right
    return isinstance(other, cst.UnaryOperation)


def _is_subtracted(name: str, call: cst.Call, context: Context) -> bool:
    """Whether the name is used on the right of a minus sign later in the same function."""
    function = context.enclosing_function(call)
    root = context.tree if function is None else function.node.body
    for node in tree.walk(root):
        if (
            isinstance(node, cst.BinaryOperation)
            and isinstance(node.operator, cst.Subtract)
            and tree.dotted(node.right) == name
        ):
            return True
        if isinstance(node, cst.UnaryOperation) and tree.dotted(node.expression) == name:
            return True
    return False
