from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, raises

from .._shared import with_keyword
from ..training._step import MODEL_LIKE
from ..weights._paths import assignments
from ._layouts import axes_given, number, operand
from ._losses import loss_name


class CrossEntropyClassAxis(Rule):
    """The classes are brought to axis 1 for `cross_entropy`, which takes them from the last axis

    ## What it does
    Finds `nn.losses.cross_entropy` and `nll_loss` without `axis` whose input was transposed so that its last axis went
    to place 1, also where no more is known of it than that a model returned it, or whose shape is unpacked as
    `B, C, H, W`.

    ## PyTorch and MLX
    `F.cross_entropy` takes the classes on axis 1, so that code turns (N, T, C) to (N, C, T). MLX takes them from the
    last axis (`axis=-1`) and raises, or, where the sizes fit, reads other entries.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, targets = mx.zeros((2, 5, 3)), mx.zeros((2, 5), dtype=mx.int32)
    loss = nn.losses.cross_entropy(logits.swapaxes(1, 2), targets, reduction="mean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, targets = mx.zeros((2, 5, 3)), mx.zeros((2, 5), dtype=mx.int32)
    loss = nn.losses.cross_entropy(logits, targets, reduction="mean")
    ```

    ## Fix safety
    The fix names axis 1 as that of the classes. It is unsafe: the axes may have been exchanged for another reason.

    ## References
    - [cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html)
    """

    code = "MLX328"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"cross_entropy", "nll_loss"})
    message = "`nn.losses.{loss}` takes the classes from the last axis, and `{logits}` has them on axis 1"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = loss_name(node, context, "cross_entropy", "nll_loss")
        if name is None or context.argument(node, 3 if name == "cross_entropy" else 2, "axis") is not None:
            return
        logits = context.argument(node, 0, "logits", "inputs")
        array = context.array(logits)
        targets = context.array(context.argument(node, 1, "targets"))
        if logits is None:
            return
        moved = _classes_moved(array, targets, context) if array is not None else _moved_by_name(logits, context)
        moved = moved or (array is not None and array.layout == "channels_first")
        if moved:
            fix = NodeFix("Name the axis", [with_keyword(node, "axis=1", context)], Applicability.UNSAFE)
            context.report(
                self, node, because=[logits], confidence=LIKELY, loss=name, logits=context.brief(logits), fix=fix
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        logits, targets = mx.zeros((2, 5, 3)), mx.zeros((2, 5), dtype=mx.int32)
        loss = nn.losses.cross_entropy
        hazard = raises(lambda: loss(logits.swapaxes(1, 2), targets), ValueError)
        return Evidence(hazard, agrees(loss(logits, targets, reduction="mean"), mx.log(mx.array(3.0))))


def _classes_moved(array: Array, targets: Array | None, context: Context) -> bool:
    """Whether an array is the result of bringing a last axis to place 1."""
    node, op = array.node, (array.op or "").rpartition(".")[2]
    if not isinstance(node, cst.Call) or op not in ("swapaxes", "moveaxis", "transpose"):
        return False
    axes = axes_given(node, context)
    if op == "transpose":
        return len(axes) in (3, 4) and axes == [0, len(axes) - 1, *range(1, len(axes) - 1)] and (
            len(axes) == 4 or _has_classes_last(node, targets, context)
        )  # fmt: skip
    if len(axes) != 2 or None in axes or not _is_last_to_one(op, axes, array.rank):
        return False
    return op == "moveaxis" or _has_classes_last(node, targets, context)


def _moved_by_name(node: cst.BaseExpression, context: Context) -> bool:
    """Whether the last two axes are exchanged of what something called a model, of which no more is known, returns."""
    for turn in _calls_behind(node, context):
        if not isinstance(turn.func, cst.Attribute) or turn.func.attr.value != "swapaxes":
            continue
        axes = sorted(axis for arg in turn.args if (axis := number(context.value(arg.value))) is not None)
        if axes in ([1, 2], [-1, 1], [-2, -1]):
            return any(_is_model_like(call) for call in _calls_behind(turn.func.value, context))
    return False


def _calls_behind(node: cst.BaseExpression, context: Context) -> list[cst.Call]:
    """An expression that is a call, or the calls whose results are bound to a name."""
    found = assignments(node, context) if isinstance(node, cst.Name) else [node]
    return [value for value in found if isinstance(value, cst.Call)]


def _is_model_like(call: cst.Call) -> bool:
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    return isinstance(name, cst.Name) and MODEL_LIKE.search(name.value) is not None


def _has_classes_last(node: cst.Call, targets: Array | None, context: Context) -> bool:
    """Whether what is transposed has its classes last: a model made it, or its shape begins as that of the targets.

    Exchanging the last two axes brings them there as well as away.
    """
    source = context.array(operand(node, context))
    if source is not None and source.op == "operator.+" and isinstance(source.node, cst.BinaryOperation):
        source = context.array(source.node.left) or source  # before a bias
    if source is None or source.op is None or source.op.startswith(("mlx.nn.", "mlx_lm.")) or source.op == "operator.@":
        return source is not None  # what MLX's layers and models return has the classes last
    steps = None if targets is None or targets.rank != 2 else (targets.shape or ())[-1]
    return source.rank == 3 and steps is not None and (source.shape or ())[1] == steps != (source.shape or ())[2]


def _is_last_to_one(op: str, axes: list[int | None], rank: int | None) -> bool:
    last = (-1, *((rank - 1,) if rank is not None else (2,)))
    if op == "swapaxes":
        return rank in (None, 3) and ((axes[0] == 1 and axes[1] in last) or (axes[1] == 1 and axes[0] in last))
    return axes[0] in last and axes[1] == 1
