"""The text of a tree's nodes: LibCST reads it, statement by statement of the module and its classes, when asked for.

What is linted is mostly asked for nothing of the kind: only findings and fixes speak of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

import libcst as cst
from libcst._nodes.internal import CodegenState

from mlxlint.model.tree import children, parents
from mlxlint.parse import parse
from mlxlint.syntax import Syntax, spans_in_class

N = TypeVar("N", bound=cst.CSTNode)
_EMPTY = cst.Module([])
_CLASS = "class _:\n"


@dataclass(frozen=True, eq=False)
class Part:
    """A statement of the module's body or of a class there as LibCST reads it, or the whole of a module.

    ``twins`` are its nodes by those of the syntax tree; ``start`` is where its text begins in the module's, after
    ``head`` characters of the code that are not of the text.
    """

    module: cst.Module
    twins: Mapping[cst.CSTNode, cst.CSTNode]
    start: int
    head: int = 0


class Concrete:
    """The concrete nodes behind those of a module's syntax tree.

    All of it may raise :class:`cst.ParserSyntaxError`, for what Python takes and LibCST does not.
    """

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._parts: dict[cst.CSTNode, Part] = {}
        self._in_classes: dict[cst.CSTNode, list[tuple[int, int]]] = {}

    @cached_property
    def parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        """Child to parent for the whole tree, made when first asked for."""
        return parents(self._syntax.tree)

    def node(self, node: N) -> N:
        """A node with its whitespace, comments, parentheses and commas; one that is not of the tree is given back."""
        part = self.part(node)
        found = node if part is None else part.twins[node]
        assert isinstance(found, type(node))
        return found

    def text(self, node: cst.CSTNode) -> str:
        """The source of a node, without whitespace around it; its further lines as they are indented in the file."""
        part = self.part(node)
        if part is None:
            return _EMPTY.code_for_node(node).strip()
        twin = part.twins[node]
        text = part.module.code_for_node(twin).strip()
        if "\n" not in text:
            return text
        return _indented(part.module, twin, _blocks(part, twin)).strip()

    def around(self, node: cst.CSTNode) -> cst.Module:
        """The module in which LibCST read a node of the tree."""
        part = self.part(node)
        assert part is not None
        return part.module

    def part(self, node: cst.CSTNode) -> Part | None:
        """The part that a node stands in; None for one that is not of the tree."""
        top = self._top(node)
        if top is None:
            return None
        if top not in self._parts:
            self._parts[top] = self._read(top)
        return self._parts[top]

    def _top(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """What is read for a node."""
        tree = self._syntax.tree
        line = [node]
        while (above := self.parents.get(line[-1])) is not None:
            line.append(above)
        if line.pop() is not tree:
            return tree if node is tree else None
        if self._syntax.spans is None:
            return tree
        *inside, top = line
        is_in_class = len(inside) > 1 and isinstance(top, cst.ClassDef) and isinstance(inside[-1], cst.IndentedBlock)
        return inside[-2] if is_in_class and top not in self._parts else top

    def _read(self, top: cst.CSTNode) -> Part:
        tree, text, spans = self._syntax.tree, self._syntax.text, self._syntax.spans
        if spans is None:
            return Part(tree, {node: node for node in (tree, *self.parents)}, 0)
        if top is tree:
            module = parse(text)
            return Part(module, _twins(top, module), 0)
        block: Any = self.parents[top]
        if block is tree:
            return _statement(top, text, *spans[tree.body.index(top)])
        owner = self.parents[block]
        begin, end = spans[tree.body.index(owner)]
        if owner not in self._in_classes:
            self._in_classes[owner] = spans_in_class(text[begin:end])
        start, end = self._in_classes[owner][block.body.index(top)]
        return _statement_of_class(top, text, begin + start, begin + end)


def _statement(node: cst.CSTNode, text: str, start: int, end: int) -> Part:
    module = parse(text[start:end])
    if start:  # what stands above it belongs to it, and to the module only above the first
        leading = (*module.header, *module.body[0].leading_lines)
        module = module.with_changes(header=(), body=[module.body[0].with_changes(leading_lines=leading)])
    return Part(module, _twins(node, module.body[0]), start)


def _statement_of_class(node: cst.CSTNode, text: str, start: int, end: int) -> Part:
    module = parse(_CLASS + text[start:end])
    around: Any = module.body[0]
    return Part(module, _twins(node, around.body.body[0]), start, len(_CLASS))


def normalized(node: cst.CSTNode) -> str:
    """The code of a node as LibCST writes what it knows the syntax of alone: no parentheses, its own spaces."""
    return _EMPTY.code_for_node(_completed(node))


def _completed(node: Any) -> Any:
    """A copy of a node of a syntax tree with all fields, those of the text as they are by default."""
    if isinstance(node, (list, tuple)):
        return [_completed(item) for item in node]
    if not isinstance(node, cst.CSTNode):
        return node
    names = (field.name for field in fields(node) if hasattr(node, field.name))
    return type(node)(**{name: _completed(getattr(node, name)) for name in names})


def _twins(node: cst.CSTNode, twin: cst.CSTNode) -> dict[cst.CSTNode, cst.CSTNode]:
    found = {}
    stack = [(node, twin)]
    while stack:
        node, twin = stack.pop()
        found[node] = twin
        stack += zip(children(node), children(twin), strict=True)
    return found


def _blocks(part: Part, twin: cst.CSTNode) -> list[cst.IndentedBlock]:
    """The indented blocks around a node of a part, outermost first."""
    above = parents(part.module)
    found: list[cst.IndentedBlock] = []
    while (node := above.get(twin)) is not None:
        if isinstance(node, cst.IndentedBlock):
            found.append(node)
        twin = node
    return found[::-1]


def _indented(module: cst.Module, node: cst.CSTNode, blocks: Iterable[cst.IndentedBlock]) -> str:
    """The code of a node in some blocks, outermost first: further lines of an expression begin as they do there."""
    state = CodegenState(default_indent=module.default_indent, default_newline=module.default_newline)
    for block in blocks:
        state.increase_indent(module.default_indent if block.indent is None else block.indent)
    node._codegen(state)
    return "".join(state.tokens)
