"""What PyTorch gives as values and indices, and the largest k of an array in its order."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rules._operations import Operation, operand

ALWAYS = frozenset({"topk", "sort", "cummax", "cummin"})
ALONG_AN_AXIS = frozenset({"max", "min", "median"})
PAIRS = ALWAYS | ALONG_AN_AXIS
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


def values_of(found: Operation, call: cst.BaseExpression, context: Context) -> str | None:
    """The values, in the order in which PyTorch gives them."""
    return in_order(found, call, context) if found.name == "topk" else context.text(call)


def indices_of(found: Operation, call: cst.BaseExpression, context: Context) -> str | None:
    """The indices that go with the values, where MLX has a function for them."""
    if not isinstance(call, cst.Call):
        return None
    name = {"max": "argmax", "min": "argmin", "sort": "argsort"}.get(found.name)
    if name is not None and isinstance(call.func, cst.Attribute):
        other = context.concrete(call.func).with_changes(attr=cst.Name(name))
        return context.text(context.concrete(call).with_changes(func=other))
    core, k = context.alias("mlx.core"), found.argument(0, "k")
    if found.name != "topk" or core is None or k is None or not is_along_last_axis(found, context):
        return None
    return f"{core}.argsort(-{operand(found.subject, context)}, axis=-1)[..., :{context.text(k)}]"
