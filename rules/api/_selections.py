"""The largest k of an array: in the order in which PyTorch gives them."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rules._operations import Operation

_KNOWN = frozenset({"a", "k", "kth", "axis"})


def is_along_last_axis(found: Operation, context: Context) -> bool:
    """Whether a selection is surely made along the last axis."""
    axis = found.argument(1, "axis")
    known = not found.starred and found.arguments.keywords.keys() <= _KNOWN
    return known and (axis is None or constant(context.value(axis), int) == -1)


def in_order(found: Operation, call: cst.BaseExpression, context: Context) -> str | None:
    """The text of a ``topk`` whose result is the largest first; None where its axis is not the last."""
    core = context.alias("mlx.core")
    if core is None or not is_along_last_axis(found, context):
        return None
    return f"{core}.sort({context.text(call)}, axis=-1)[..., ::-1]"
