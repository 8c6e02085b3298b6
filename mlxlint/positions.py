"""Offsets of chosen nodes in the source text: one pass of LibCST's code generator, only for files with findings."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from mlxlint.source import Source

Offsets = dict[cst.CSTNode, tuple[int, int]]
Starts = dict[cst.CSTNode, int]
Parents = Mapping[cst.CSTNode, cst.CSTNode]

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


def offsets(module: cst.Module, nodes: Iterable[cst.CSTNode], source: Source, parents: Parents) -> Offsets:
    """Character offsets (start, end) of nodes of a module in the text it was parsed from.

    Only the top-level statements that hold a wanted node are written out; where they begin, Python's own parser tells.
    What it does not take for Python is written out as a whole.
    """
    starts = _starts(module, source)
    wanted: dict[cst.CSTNode, list[cst.CSTNode]] = {}
    for node in nodes:
        top = module if starts is None else _top(node, module, parents)
        wanted.setdefault(top, []).append(node)
    found: Offsets = {}
    for top, inside in wanted.items():
        recorder = _Recorder(module)
        top._codegen(recorder)
        begin, start = (recorder.found[top][0], starts[top]) if starts and top in starts else (0, 0)
        place = _places("".join(recorder.tokens)[begin:], source.text, start)
        for node in inside:
            if (span := recorder.found.get(node)) is not None:
                found[node] = place(span[0] - begin), place(span[1] - begin)
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


def indented(module: cst.Module, node: cst.CSTNode, blocks: Iterable[cst.IndentedBlock]) -> str:
    """The code of a node in some blocks, outermost first: further lines of an expression begin as they do there."""
    state = CodegenState(default_indent=module.default_indent, default_newline=module.default_newline)
    for block in blocks:
        state.increase_indent(module.default_indent if block.indent is None else block.indent)
    node._codegen(state)
    return "".join(state.tokens)


def _top(node: cst.CSTNode, module: cst.Module, parents: Parents) -> cst.CSTNode:
    """The top-level statement around a node; the module for what stands in none."""
    while parents.get(node, module) is not module:
        node = parents[node]
    return node


def _starts(module: cst.Module, source: Source) -> Starts | None:
    """Where each top-level statement begins; None when this Python cannot parse what LibCST can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = iter(ast.parse(source.text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: Starts = {}
    for line in module.body:
        first = next(statements)
        if isinstance(line, cst.SimpleStatementLine):
            for _ in line.body[1:]:
                next(statements)
        found[line] = source.line_starts[first.lineno - 1] + first.col_offset
    return found
