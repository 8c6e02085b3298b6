"""Loops over parameters that are to freeze them."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, NodeFix, Replace


def freezing(loop: cst.For, context: Context) -> NodeFix | None:
    """``for p in model.parameters(): p.requires_grad = False`` becomes ``model.freeze()``."""
    parameters = _parameters(loop.iter, context)
    lines = loop.body.body
    if parameters is None or loop.orelse is not None or len(lines) != 1 or "#" in context.text(loop):
        return None
    statements = lines[0].body if isinstance(lines[0], cst.SimpleStatementLine) else lines
    wanted = _wanted(statements[0], _variable(loop.target), context) if len(statements) == 1 else None
    if wanted is None:
        return None
    method = "unfreeze" if wanted else "freeze"
    return NodeFix(f"Call `{method}()`", [Replace(loop, f"{parameters}.{method}()")], Applicability.UNSAFE)


def _parameters(iterated: cst.BaseExpression, context: Context) -> str | None:
    """The module whose parameters are walked over, flattened or not."""
    if isinstance(iterated, cst.Call) and context.callee(iterated) == "mlx.utils.tree_flatten" and iterated.args:
        iterated = iterated.args[0].value
    if not isinstance(iterated, cst.Call) or not isinstance(iterated.func, cst.Attribute) or iterated.args:
        return None
    return context.text(iterated.func.value) if iterated.func.attr.value == "parameters" else None


def _variable(target: cst.BaseExpression) -> str | None:
    """The name that holds the parameter: the loop's variable, or the second of a pair."""
    if isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) == 2:
        target = target.elements[1].value
    return target.value if isinstance(target, cst.Name) else None


def _wanted(statement: cst.CSTNode, name: str | None, context: Context) -> bool | None:
    """What a statement sets ``requires_grad`` of a name to."""
    if isinstance(statement, cst.Assign) and len(statement.targets) == 1:
        attribute: cst.BaseExpression = statement.targets[0].target
        value = statement.value
    elif isinstance(statement, cst.Expr) and isinstance(statement.value, cst.Call) and statement.value.args:
        attribute, value = statement.value.func, statement.value.args[0].value
    else:
        return None
    if not isinstance(attribute, cst.Attribute) or attribute.attr.value not in ("requires_grad", "requires_grad_"):
        return None
    wanted: bool | None = constant(context.value(value), bool)
    return wanted if isinstance(attribute.value, cst.Name) and attribute.value.value == name else None
