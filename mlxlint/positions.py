"""Offsets of chosen nodes in the source text: one pass of LibCST's code generator, only for files with findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

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

    @contextmanager
    def record_syntactic_position(
        self, node: Any, *, start_node: Optional[cst.CSTNode] = None, end_node: Optional[cst.CSTNode] = None
    ) -> Iterator[None]:
        start = self.offset
        yield
        start = start if start_node is None else self.found[start_node][0]
        end = self.offset if end_node is None else self.found[end_node][1]
        self.found[node] = (start, end)


def offsets(module: cst.Module, nodes: Iterable[cst.CSTNode]) -> Offsets:
    """Character offsets (start, end) of nodes of a module in its code, byte-order mark not counted."""
    recorder = _Recorder(module)
    module._codegen(recorder)
    return {node: recorder.found[node] for node in nodes if node in recorder.found}
