"""Offsets of chosen nodes in the source text: one pass of LibCST's code generator over the statements around them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from mlxlint.concrete import Concrete, Part

Offsets = dict[cst.CSTNode, tuple[int, int]]

_HEAD = re.compile(r"\\(?:\r\n?|\n)|[ \t\f]")


class _Recorder(CodegenState):
    """Writes the module's code and notes where the wanted nodes begin and end, own whitespace excluded."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.offset = 0
        self.found: Offsets = {}
        self.stack: list[int] = []

    def add_token(self, value: str) -> None:
        self.tokens.append(value)
        self.offset += len(value)

    def add_indent_tokens(self) -> None:
        self.tokens += self.indent_tokens
        self.offset += sum(map(len, self.indent_tokens))

    def before_codegen(self, node: Any) -> None:
        self.stack.append(self.offset)

    def after_codegen(self, node: Any) -> None:
        start = self.stack.pop()
        self.found.setdefault(node, (start, self.offset))

    def record_syntactic_position(  # type: ignore[override]
        self, node: Any, *, start_node: cst.CSTNode | None = None, end_node: cst.CSTNode | None = None
    ) -> AbstractContextManager[None]:
        return _Span(self, node, start_node, end_node)


class _Span:
    """Notes one node's place between entering and leaving; LibCST's own uses a generator, at twice the cost."""

    __slots__ = ("end_node", "node", "recorder", "start", "start_node")

    def __init__(
        self, recorder: _Recorder, node: Any, start_node: cst.CSTNode | None, end_node: cst.CSTNode | None
    ) -> None:
        self.recorder, self.node, self.start_node, self.end_node = recorder, node, start_node, end_node

    def __enter__(self) -> None:
        self.start = self.recorder.offset

    def __exit__(self, *error: object) -> None:
        found = self.recorder.found
        start = self.start if self.start_node is None else found[self.start_node][0]
        end = self.recorder.offset if self.end_node is None else found[self.end_node][1]
        found[self.node] = (start, end)


def offsets(concrete: Concrete, nodes: Iterable[cst.CSTNode], text: str) -> Offsets:
    """Character offsets (start, end) of nodes of a module in the text it was parsed from.

    Only the statements, of the module and its classes, that hold a wanted node are written out.
    """
    wanted: dict[Part, list[cst.CSTNode]] = {}
    for node in nodes:
        part = concrete.part(node)
        if part is not None:
            wanted.setdefault(part, []).append(node)
    found: Offsets = {}
    for part, inside in wanted.items():
        recorder = _Recorder(part.module)
        part.module._codegen(recorder)
        place = _places("".join(recorder.tokens)[part.head :], text, part.start)
        for node in inside:
            if (span := recorder.found.get(part.twins[node])) is not None:
                found[node] = place(span[0] - part.head), place(span[1] - part.head)
    return found


def _places(code: str, text: str, start: int) -> Callable[[int], int]:
    """What turns offsets in code that LibCST writes into those in the text, in which it begins at ``start``."""
    left_out = [(0, 0)]
    if not text.startswith(code.rstrip("\r\n"), start):
        left_out += _left_out(code, text, start)
    return lambda offset: start + offset + left_out[max(bisect_right(left_out, (offset, len(text))) - 1, 0)][1]


def _left_out(code: str, text: str, start: int) -> Iterator[tuple[int, int]]:
    """Where in the code something of the text is missing, and how many characters are by then: LibCST does not keep a
    backslash at the head of a statement, and its line end.
    """
    at = missing = 0
    while at < len(code) and start + at + missing < len(text):
        if code[at] == text[start + at + missing]:
            at += 1
        elif (head := _HEAD.match(text, start + at + missing)) is not None:
            missing += len(head[0])
            yield at, missing
        else:
            return
