"""Indices that stand for nothing: -1 and -100, as padding and ignored labels are written."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import Array, constant
from mlxlint.rules.kernels._flow import last_bound

_PASSING = frozenset({"astype", "reshape", "flatten", "squeeze", "expand_dims"})
_MAKING = {"mlx.core.full": (1,), "mlx.core.where": (1, 2)}  # and which arguments are elements of the result


def sentinel(index: cst.BaseExpression, context: Context) -> tuple[cst.BaseExpression, int] | None:
    """The array behind an index that holds a negative number standing for nothing, and that number.

    One that is compared with a negative number in the same function is taken care of there.
    """
    base = _base(index, context)
    made = last_bound(base, context) if isinstance(base, cst.Name) else base
    made = _base(made, context) if made is not None else None
    if not isinstance(made, cst.Call):
        return None
    for place in _MAKING.get(context.callee(made) or "", ()):
        number = constant(context.value(made.args[place].value), int) if place < len(made.args) else None
        if number is not None and number < 0 and not _is_known(base, context):
            return base, number
    return None


def _base(node: cst.BaseExpression, context: Context) -> cst.BaseExpression:
    """The array that an index reads: ``labels`` of ``labels[:, None].astype(mx.int32)``."""
    while True:
        if isinstance(node, cst.Subscript):
            node = node.value
        elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _PASSING:
            of_mlx = (context.callee(node) or "").startswith("mlx.core.") and not _is_method(node, context)
            if of_mlx and not node.args:
                return node
            node = node.args[0].value if of_mlx else node.func.value
        else:
            return node


def _is_method(call: cst.Call, context: Context) -> bool:
    return isinstance(context.receiver(call), Array)


def _is_known(base: cst.BaseExpression, context: Context) -> bool:
    """Whether the function around compares an array with a negative number, or with 0."""
    name, code = dotted(base), context.enclosing_function(base)
    for comparison in context.nodes(context.tree if code is None else code.node.body, cst.Comparison):
        sides = [comparison.left, *(target.comparator for target in comparison.comparisons)]
        numbers = (constant(context.value(side), int) for side in sides)
        if any(dotted(side) == name for side in sides) and any(n is not None and n <= 0 for n in numbers):
            return True
    return False


def gathering(node: cst.Call, context: Context) -> Iterator[cst.BaseExpression]:
    """The index of a call that gathers."""
    callee = context.callee(node) or ""
    if callee.startswith("mlx.core."):
        index = context.argument(node, 0 if _is_method(node, context) else 1, "indices")
        if index is not None:
            yield index
