"""Normalisation over the last axis, as it is written by hand."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant

from .._operations import bare
from ._flow import on_last_axis, operation, option, origin, sources, subject


@dataclass(frozen=True)
class Normalisation:
    """What scales rows to one size: the root, what is scaled, and whether that has its mean taken off."""

    root: cst.BaseExpression
    scaled: cst.BaseExpression
    centred: bool
    variance: bool  # by `var` rather than by a mean of squares


def normalisation(root: cst.Call, context: Context) -> Normalisation | None:
    """The normalisation that a call of `rsqrt` or `sqrt` is part of, of the mean square over the last axis."""
    inside = subject(root, context) if operation(root, context) in ("rsqrt", "sqrt") else None
    for made in sources(inside, context) if inside is not None else ():
        name = operation(made, context)
        if not isinstance(made, cst.Call) or name not in ("mean", "var"):
            continue
        if not on_last_axis(made, context) or not _keeps(made, name, context):
            return None
        averaged = subject(made, context)
        scaled = averaged if name == "var" or averaged is None else _squared(averaged, context)
        if scaled is None or not _is_applied(root, scaled, context):
            return None
        return Normalisation(root, scaled, name == "var" or _is_centred(scaled, context), name == "var")
    return None


def _keeps(call: cst.Call, name: str, context: Context) -> bool:
    return constant(context.value(option(call, 1, "keepdims", context)), bool) is True


def _squared(node: cst.BaseExpression, context: Context) -> cst.BaseExpression | None:
    """What an expression is the square of."""
    made = origin(node, context)
    if isinstance(made, cst.BinaryOperation):
        if isinstance(made.operator, cst.Multiply) and bare(made.left, context) == bare(made.right, context):
            return made.left
        is_two = constant(context.value(made.right), (int, float)) == 2
        return made.left if isinstance(made.operator, cst.Power) and is_two else None
    name = operation(made, context)
    if not isinstance(made, cst.Call) or name not in ("square", "power"):
        return None
    exponent = option(made, 0, "b", context) if name == "power" else None
    is_square = name == "square" or constant(context.value(exponent), (int, float)) == 2
    return subject(made, context) if is_square else None


def _is_centred(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is `x - mean(x)`."""
    made = origin(node, context)
    if not isinstance(made, cst.BinaryOperation) or not isinstance(made.operator, cst.Subtract):
        return False
    return operation(origin(made.right, context), context) == "mean"


def _is_applied(root: cst.Call, scaled: cst.BaseExpression, context: Context) -> bool:
    """Whether what was squared is multiplied by the root, or divided by it, in the same function."""
    code = context.enclosing_function(root)
    for node in context.walk(context.tree if code is None else code.node.body):
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Multiply, cst.Divide)):
            sides = [(node.left, node.right)]
            sides += [(node.right, node.left)] if isinstance(node.operator, cst.Multiply) else []
            if any(_is_root(side, root, context) and _is_same(other, scaled, context) for other, side in sides):
                return True
    return False


def _is_root(node: cst.BaseExpression, root: cst.Call, context: Context) -> bool:
    return node is root or origin(node, context) is root


def _is_same(node: cst.BaseExpression, scaled: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is what was squared, perhaps with its mean taken off, or cast."""
    candidates = [node, origin(node, context)]
    for made in list(candidates):
        if isinstance(made, cst.BinaryOperation) and isinstance(made.operator, cst.Subtract):
            candidates.append(made.left)
        elif isinstance(made, cst.Call) and operation(made, context) == "astype":
            candidates += [s for s in [subject(made, context)] if s is not None]
    wanted = {bare(made, context) for made in (scaled, origin(scaled, context))}
    return any(bare(made, context) in wanted for made in candidates)
