"""Walking LibCST trees by tables of children instead of visitors: a visitor costs ten times the loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cache
from typing import Optional, Union

import libcst as cst

_TRIVIA = (
    "whitespace", "leading_lines", "lines_after", "lpar", "rpar", "comma", "semicolon", "equal", "colon", "dot", "header",
    "footer", "trailing_whitespace", "lbracket", "rbracket", "lbrace", "rbrace", "indent", "encoding", "default_indent",
    "default_newline", "has_trailing_newline", "star", "asynchronous",
)


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if not f.name.startswith(_TRIVIA))


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly below, whitespace and punctuation left out, in source order."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, (tuple, list)):
            for item in value:
                if isinstance(item, cst.CSTNode):
                    yield item


def walk(node: cst.CSTNode, stop: Union[type[cst.CSTNode], tuple[type[cst.CSTNode], ...]] = ()) -> Iterator[cst.CSTNode]:
    """A node and all below it in source order; below nodes of the types ``stop`` (the root excepted) it does not go."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        if current is node or not isinstance(current, stop):
            stack.extend(reversed(list(children(current))))


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


def dotted(node: Optional[cst.CSTNode]) -> Optional[str]:
    """``a.b.c`` as text when the expression is nothing but names and dots."""
    parts = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    return ".".join([node.value, *reversed(parts)])
