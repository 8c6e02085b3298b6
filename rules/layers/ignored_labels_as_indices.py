from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Value, constant
from mlxlint.rule import Evidence, Fixable, Kind, Rule, Severity, agrees, shown

from ._losses import leaving_out, loss_name, reduction

_MINUS_100 = re.compile(r"-\s*100\b(?!\.)")  # -100.0 is added to scores
_GUARDS = frozenset({"where", "maximum", "clip", "abs", "select", "remainder"})


class IgnoredLabelsAsIndices(Rule):
    """Labels of -100 reach `cross_entropy`, which reads out of bounds

    ## What it does
    Finds `nn.losses.cross_entropy` and `nll_loss` without weights, averaged or added up there or right after, in files
    where labels are set to -100 (or to a constant of that value), when the targets are not replaced before with
    `mx.where` or the like.

    ## PyTorch and MLX
    PyTorch leaves out targets of -100 (`ignore_index`). MLX has no such argument and uses every target as an index:
    -100 counts from the end of the row, or reads memory outside of it. The loss is a number all the same.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    tokens = mx.array([1, 2, 0])
    labels = mx.where(tokens == 0, -100, tokens)
    loss = nn.losses.cross_entropy(mx.zeros((3, 4)), labels[:], reduction="mean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    tokens = mx.array([1, 2, 0])
    labels = mx.where(tokens == 0, -100, tokens)
    keep = labels != -100
    losses = nn.losses.cross_entropy(mx.zeros((3, 4)), mx.where(keep, labels, 0))
    loss = (losses * keep).sum() / keep.sum()
    ```

    ## Fix safety
    Labels of -100 get no weight, and a mean is over the others. It is unsafe: whether there are such labels is a guess.

    ## References
    - [cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html)
    """

    code = "MLX327"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"cross_entropy", "nll_loss"})
    message = (
        "`{targets}` may hold ignored labels (-100): `nn.losses.{loss}` uses them as indices and averages over them"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = loss_name(node, context, "cross_entropy", "nll_loss")
        if name is None or not _is_reduced(node, context) or not _knows_ignored(context):
            return
        targets = context.argument(node, 1, "targets")
        if targets is None or (name == "cross_entropy" and context.argument(node, 2, "weights") is not None):
            return
        if _speaks_of_labels(targets, context) and not _is_guarded(targets, context):
            context.report(
                self, node, because=[targets], confidence=LIKELY, targets=context.brief(targets), loss=name,
                fix=leaving_out(node, "-100", None, context) if _may_be_left_out(name, node, context) else None,
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        logits, labels = mx.array([[2.0, 0.0], [0.0, 3.0]]), mx.array([0, -2])
        expected = nn.losses.cross_entropy(logits[:1], labels[:1], reduction="mean")
        keep = labels >= 0
        each = nn.losses.cross_entropy(logits, mx.where(keep, labels, 0))
        got = nn.losses.cross_entropy(logits, labels, reduction="mean").item()
        return Evidence(
            shown(abs(got - expected.item()) > 1e-3, f"a negative target is averaged in: {got:.4f}"),
            agrees((each * keep).sum() / keep.sum(), expected),
        )


def _may_be_left_out(name: str, node: cst.Call, context: Context) -> bool:
    return name == "cross_entropy" and reduction(node, context) != "none"


def _is_reduced(node: cst.Call, context: Context) -> bool:
    """Whether the losses of all targets are averaged or added up, by the loss or right after it."""
    how, outside = reduction(node, context), context.parent(node)
    if how in ("mean", "sum"):
        return True
    if isinstance(outside, cst.Arg):
        outside = context.parent(outside)
        return (
            how == "none"
            and isinstance(outside, cst.Call)
            and context.callee(outside) in ("mlx.core.mean", "mlx.core.sum")
        )
    return how == "none" and isinstance(outside, cst.Attribute) and outside.attr.value in ("mean", "sum")


def _knows_ignored(context: Context) -> bool:
    """Whether a file writes -100, or imports a constant of that value."""
    return any(_is_ignored(value) for value in context.module.env.values()) or bool(
        _MINUS_100.search(context.module.text)
    )


def _speaks_of_labels(node: cst.BaseExpression, context: Context) -> bool:
    """Whether the targets are labels by name, the word under which ignored ones are kept."""
    if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
        key = constant(context.value(node.slice[0].slice.value), str)
        return (key is not None and "label" in key) or _speaks_of_labels(node.value, context)
    return "label" in context.text(node).lower()


def _is_ignored(value: Value) -> bool:
    return bool(constant(value, int) == -100)


def _is_guarded(node: cst.CSTNode | None, context: Context, depth: int = 6) -> bool:
    """Whether the targets are what a replacement of the ignored ones returned."""
    array = context.array(node)
    if array is None or depth == 0:
        return False
    origin, op = array.node, (array.op or "").rpartition(".")[2]
    if op in _GUARDS:
        return not (isinstance(origin, cst.Call) and any(_is_ignored(context.value(arg.value)) for arg in origin.args))
    if isinstance(origin, cst.Subscript):
        return _is_guarded(origin.value, context, depth - 1)
    if (
        isinstance(origin, cst.Call)
        and isinstance(origin.func, cst.Attribute)
        and op in ("reshape", "flatten", "astype", "squeeze")
    ):
        return _is_guarded(origin.func.value, context, depth - 1)
    return False
