"""What runs before a place in its block, statement by statement, also where several share a line."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree

from ..training._step import SCOPES


def blocks_before(node: cst.CSTNode, context: Context) -> list[list[cst.CSTNode]]:
    """For each block around a node within its function, innermost first: the statements before the one holding it."""
    found: list[list[cst.CSTNode]] = []
    for block in context.ancestors(node):
        if isinstance(block, (cst.IndentedBlock, cst.SimpleStatementSuite, cst.Module)):
            statements = _flat(block)
            end = next((i for i, statement in enumerate(statements) if _holds(statement, node)), 0)
            found.append(statements[:end])
        elif isinstance(block, SCOPES):
            break
    return found


def _flat(block: cst.IndentedBlock | cst.SimpleStatementSuite | cst.Module) -> list[cst.CSTNode]:
    found: list[cst.CSTNode] = []
    for line in block.body:
        found += line.body if isinstance(line, cst.SimpleStatementLine) else [line]
    return found


def _holds(statement: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(part is node for part in tree.walk(statement))
