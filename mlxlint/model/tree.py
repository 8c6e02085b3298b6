"""Walking LibCST trees by tables of children instead of visitors: a visitor costs ten times the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache

import libcst as cst

_TRIVIA = (
    "whitespace",
    "leading_lines",
    "lines_after",
    "lpar",
    "rpar",
    "comma",
    "semicolon",
    "equal",
    "colon",
    "dot",
    "header",
    "footer",
    "trailing_whitespace",
    "lbracket",
    "rbracket",
    "lbrace",
    "rbrace",
    "indent",
    "encoding",
    "default_indent",
    "default_newline",
    "has_trailing_newline",
    "star",
    "asynchronous",
)


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if not f.name.startswith(_TRIVIA))


_NO_NODE = frozenset(
    {str, bool, type(None), int, cst.MaybeSentinel}
)  # what fields hold besides nodes and sequences of them


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below, whitespace and punctuation left out, in source order."""
    found: list[cst.CSTNode] = []
    for name in _fields(type(node)):
        value = getattr(node, name)
        kind = type(value)  # isinstance() on LibCST's abstract classes costs ten times as much
        if kind is tuple or kind is list:
            found += [item for item in value if type(item) not in _NO_NODE]
        elif kind not in _NO_NODE:
            found.append(value)
    return found


def walk(node: cst.CSTNode, stop: tuple[type[cst.CSTNode], ...] = ()) -> Iterator[cst.CSTNode]:
    """A node and all below it in source order; not below nodes of exactly the types ``stop``, the root excepted."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if current is node or type(current) not in stop:
            below = children(current)
            below.reverse()
            stack += below


def parents(root: cst.CSTNode) -> dict[cst.CSTNode, cst.CSTNode]:
    """Child to parent, for a whole tree."""
    found: dict[cst.CSTNode, cst.CSTNode] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        for child in children(node):
            found[child] = node
            stack.append(child)
    return found


def dotted(node: cst.CSTNode | None) -> str | None:
    """``a.b.c`` as text when the expression is nothing but names and dots."""
    parts = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    return ".".join([node.value, *reversed(parts)])


def head(module: cst.Module) -> list[cst.SimpleStatementLine]:
    """The docstring and imports with which a module begins."""
    found = []
    for index, line in enumerate(module.body):
        first = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
        is_docstring = index == 0 and isinstance(first, cst.Expr) and isinstance(first.value, cst.SimpleString)
        if not isinstance(line, cst.SimpleStatementLine) or not (
            is_docstring or isinstance(first, (cst.Import, cst.ImportFrom))
        ):
            break
        found.append(line)
    return found
