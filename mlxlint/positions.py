"""Offsets of chosen nodes in the source text: one pass of LibCST's code generator, only for files with findings."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

Offsets = dict[cst.CSTNode, tuple[int, int]]


class _Recorder(CodegenState):
    """Writes the module's code and notes where the wanted nodes begin and end, own whitespace excluded."""

    def __init__(self, module: cst.Module) -> None:
        super().__init__(default_indent=module.default_indent, default_newline=module.default_newline)
        self.offset = 0
        self.found: Offsets = {}
        self.stack: list[int] = []

    def add_token(self, value: str) -> None:
        self.offset += len(value)

    def add_indent_tokens(self) -> None:
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


def offsets(module: cst.Module, nodes: Iterable[cst.CSTNode], text: str) -> Offsets:
    """Character offsets (start, end) of nodes of a module in the text it was parsed from."""
    recorder = _Recorder(module)
    module._codegen(recorder)
    found = {node: recorder.found[node] for node in nodes if node in recorder.found}
    if "\x0c" not in text:
        return found
    lost = _lost_form_feeds(module.code, text)
    return {
        n: (start + bisect_right(lost, start), end + bisect_right(lost, end - 1)) for n, (start, end) in found.items()
    }


def _lost_form_feeds(code: str, text: str) -> list[int]:
    """Where in its code the tree lacks a form feed of the text: LibCST drops those that begin an unindented line."""
    lost: list[int] = []
    at = 0
    for character in text:
        if at < len(code) and code[at] == character:
            at += 1
        elif character == "\x0c":
            lost.append(at)
    return lost
