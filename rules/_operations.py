"""A call of an ``mlx.core`` operation, written as a function or as a method of an array."""

from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.tree import walk
from mlxlint.model.values import UNKNOWN, Value

FUNCTION, METHOD = "mlx.core.", "mlx.core.array."


@dataclass(frozen=True)
class Operation:
    """``mx.std(x, axis=0)`` and ``x.std(axis=0)`` alike: ``name`` "std", ``subject`` the node of ``x``."""

    name: str
    subject: cst.BaseExpression
    arguments: ArgumentNodes
    is_method: bool

    def argument(self, index: int | None, *names: str) -> cst.BaseExpression | None:
        """The argument at a position, the subject not counted, or of one of some names."""
        at = index if index is None or self.is_method else index + 1
        found = self.arguments.get(at, *names)
        return None if found is None else found.value

    @property
    def starred(self) -> bool:
        return self.arguments.starred


def operation(call: cst.Call, context: Context, names: frozenset[str]) -> Operation | None:
    """The operation that a call is when it is one of ``names`` ("std", "linalg.norm"), its subject given plainly."""
    callee = context.callee(call)
    if callee is None or not callee.startswith(FUNCTION):
        return None
    is_method = callee.startswith(METHOD)
    name = callee[len(METHOD if is_method else FUNCTION) :]
    if name not in names:
        return None
    arguments = ArgumentNodes(call)
    if is_method:
        subject = call.func.value if isinstance(call.func, cst.Attribute) else None
    else:
        subject = arguments.positional[0].value if arguments.positional else None
    return None if subject is None else Operation(name, subject, arguments, is_method)


def produced_by(value: Value, *names: str) -> bool:
    """Whether an array is the result of one of the operations, as function or method."""
    op = getattr(value, "op", None)
    if value is UNKNOWN or not isinstance(op, str) or not op.startswith(FUNCTION):
        return False
    return op.removeprefix(METHOD).removeprefix(FUNCTION) in names


def is_same(a: cst.CSTNode, b: cst.CSTNode, context: Context) -> bool:
    """Whether two expressions are written alike, spaces and parentheses apart."""
    return bare(a, context) == bare(b, context)


def bare(node: cst.CSTNode, context: Context) -> str:
    """The code of a node without spaces and parentheses."""
    return context.shared(_bare, node)


def _bare(node: cst.CSTNode, context: Context) -> str:
    return re.sub(r"[\s()]", "", context.normalized(node))


_ATOMS = (cst.Name, cst.Attribute, cst.Subscript, cst.Call, cst.List, cst.Tuple)


def operand(node: cst.BaseExpression, context: Context) -> str:
    """The text of an expression to which an operator or a method is to be applied."""
    text = context.text(node)
    whole = context.is_parenthesised(node) or (isinstance(node, _ATOMS) and not isinstance(node, cst.Tuple))
    return text if whole else f"({text})"


def is_repeatable(*nodes: cst.BaseExpression) -> bool:
    """Whether expressions may be evaluated twice: they call nothing and bind no name."""
    return not any(isinstance(part, (cst.Call, cst.NamedExpr, cst.Await)) for node in nodes for part in walk(node))
