"""What a block does with a name after a statement."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.rules._statements import block


def written(node: cst.Assign | cst.AugAssign) -> cst.BaseExpression | None:
    """The array that a statement writes to in place: that of ``x[...] = v``, ``x += v`` and ``x[...] += v``."""
    target = node.targets[0].target if isinstance(node, cst.Assign) else node.target
    if isinstance(target, cst.Subscript):
        return target.value
    return target if isinstance(node, cst.AugAssign) else None


def bindings_above(node: cst.CSTNode, context: Context) -> Iterator[cst.Assign]:
    """``name = value`` statements above a statement in its block, nearest first, of names not bound again since."""
    statements, at = block(node, context)
    bound: set[str] = set()
    for statement in reversed(statements[:at]):
        if isinstance(statement, cst.Assign) and isinstance(statement.targets[0].target, cst.Name):
            name = statement.targets[0].target.value
            if name not in bound:
                yield statement
        bound |= _bound(statement)


def rebound_between(first: cst.CSTNode, last: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a name gets another value in the statements between two of a block."""
    statements, at = block(last, context)
    start = next((i for i, statement in enumerate(statements) if statement is first), at)
    return any(name in _bound(statement) for statement in statements[start + 1 : at])


def read_below(node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a name is read below a statement in its block, before it is bound again."""
    statements, at = block(node, context)
    for statement in statements[at + 1 :]:
        stored = {id(n.target) for n in walk(statement) if isinstance(n, cst.AssignTarget)}
        keywords = {id(n.keyword) for n in walk(statement) if isinstance(n, cst.Arg)}
        reads = (n for n in walk(statement) if isinstance(n, cst.Name) and id(n) not in stored | keywords)
        if any(n.value == name for n in reads):
            return True
        if name in _bound(statement):
            return False
    return False


def _bound(statement: cst.CSTNode) -> set[str]:
    targets = (
        n.target for n in walk(statement) if isinstance(n, (cst.AssignTarget, cst.For, cst.AnnAssign, cst.NamedExpr))
    )
    return {
        found
        for target in targets
        for node in walk(target)
        if (found := dotted(node)) is not None and not isinstance(target, cst.Subscript)
    }
