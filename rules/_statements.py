"""The statements around a node, wherever line breaks and semicolons stand."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context

_HOLDERS = (cst.SimpleStatementLine, cst.SimpleStatementSuite, cst.IndentedBlock, cst.Module)


def block(node: cst.CSTNode, context: Context) -> tuple[list[cst.CSTNode], int]:
    """The statements of the block around a node, simple ones one by one, and the place of the one that holds it."""
    statement, holder = node, context.parent(node)
    while holder is not None and not isinstance(holder, _HOLDERS):
        statement, holder = holder, context.parent(holder)
    if isinstance(holder, cst.SimpleStatementLine):
        holder = context.parent(holder)
    statements = _flattened(holder)
    return statements, next((i for i, found in enumerate(statements) if found is statement), 0)


def _flattened(holder: cst.CSTNode | None) -> list[cst.CSTNode]:
    if isinstance(holder, cst.SimpleStatementSuite):
        return list(holder.body)
    if not isinstance(holder, (cst.IndentedBlock, cst.Module)):
        return []
    found: list[cst.CSTNode] = []
    for line in holder.body:
        found += line.body if isinstance(line, cst.SimpleStatementLine) else [line]
    return found
