"""Walking LibCST trees by tables of children instead of visitors: a visitor costs ten times the loop."""

from __future__ import annotations

import collections.abc
import dataclasses
import typing
from collections.abc import Callable, Collection, Iterator
from typing import Any

import libcst as cst

_TRIVIA = (
    "whitespace",
    "leading_lines",
    "leading_whitespace",
    "lines_after",
    "lpar",
    "rpar",
    "comma",
    "semicolon",
    "equal",
    "colon",
    "first_colon",
    "second_colon",
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


Reader = Callable[[Any], list[cst.CSTNode]]


class _Readers(dict[type, Reader]):
    """For each class of node the function that lists its children, written from the class's fields when first asked.

    Fields hold no nodes, always a node, always a sequence of nodes, or must be looked at.
    """

    def __missing__(self, kind: type) -> Reader:
        lines = []
        for field in dataclasses.fields(kind):
            if field.name.startswith(_TRIVIA) or field.type in _NO_NODE:
                continue
            if isinstance(field.type, type) and issubclass(field.type, cst.CSTNode):
                lines.append(f"found.append(node.{field.name})")
            elif typing.get_origin(field.type) is collections.abc.Sequence:
                lines.append(f"found += node.{field.name}")
            else:
                lines.append(f"value = node.{field.name}; kind = type(value)")
                lines.append("if kind is tuple or kind is list: found += value")
                lines.append("elif kind not in no_node: found.append(value)")
        body = "\n ".join(["found = []", *lines, "return found"])
        names: dict[str, Any] = {"no_node": _NO_NODE}
        exec(f"def read(node):\n {body}", names)
        reader: Reader = self.setdefault(kind, names["read"])
        return reader


_LEAVES = frozenset({cst.Name, cst.Integer, cst.Float, cst.SimpleString, cst.Pass})  # most nodes, and none below them
_NO_NODE = frozenset({str, bool, type(None), int, cst.MaybeSentinel})  # what fields hold besides nodes
_readers = _Readers()


def children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes directly below, whitespace and punctuation left out, in source order."""
    return _readers[type(node)](node)


def walk(node: cst.CSTNode, stop: Collection[type[cst.CSTNode]] = ()) -> Iterator[cst.CSTNode]:
    """A node and all below it in source order; not below nodes of exactly the types ``stop``, the root excepted."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        kind = type(current)
        if kind not in stop or current is node:
            below = _readers[kind](current)
            if below:
                below.reverse()
                stack += below


def parents(root: cst.CSTNode) -> dict[cst.CSTNode, cst.CSTNode]:
    """Child to parent, for a whole tree."""
    found: dict[cst.CSTNode, cst.CSTNode] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        for child in _readers[type(node)](node):
            found[child] = node
            if type(child) not in _LEAVES:
                stack.append(child)
    return found


def dotted(node: cst.CSTNode | None) -> str | None:
    """``a.b.c`` as text when the expression is nothing but names and dots."""
    parts = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    if type(node) is not cst.Name:
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
