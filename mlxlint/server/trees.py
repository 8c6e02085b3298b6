"""Syntax trees of texts seen before: of a changed text only the changed statements are parsed anew."""

from __future__ import annotations

import ast
import warnings
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass

import libcst as cst

from mlxlint.parse import parse
from mlxlint.source import Source

MOST = 64  # files whose trees are kept
_SENTINEL = "pass\n"  # stands for the statement after those that are parsed: it continues none of them

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


@dataclass(frozen=True)
class _Tree:
    """A text, its tree, and where the line of each top-level statement begins (its decorators first)."""

    text: str
    module: cst.Module
    starts: list[int]


class Trees:
    """The trees of the files parsed last."""

    def __init__(self) -> None:
        self._trees: OrderedDict[str, _Tree] = OrderedDict()

    def parse(self, text: str, path: str | None = None) -> cst.Module:
        """The tree of a text, with what it has in common with the last text of the file.

        Raises:
            cst.ParserSyntaxError: when the text is not Python.
        """
        key = path or ""
        known = self._trees.get(key)
        if known is None or known.text != text:
            known = (known and _spliced(known, text)) or _whole(text)
            self._trees[key] = known
        self._trees.move_to_end(key)
        if len(self._trees) > MOST:
            self._trees.popitem(last=False)
        return known.module


def _whole(text: str) -> _Tree:
    module = parse(text)
    return _Tree(text, module, _starts(text, module) or [])


def _starts(text: str, module: cst.Module) -> list[int] | None:
    """Where the lines of top-level statements begin; None when this Python cannot tell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = iter(ast.parse(text).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    lines = Source("", text).line_starts
    starts = []
    for statement in module.body:
        first = next(found)
        for _ in statement.body[1:] if isinstance(statement, cst.SimpleStatementLine) else ():
            next(found)
        decorators = getattr(first, "decorator_list", ())
        starts.append(lines[min([first.lineno, *(decorator.lineno for decorator in decorators)]) - 1])
    return starts


def _spliced(known: _Tree, text: str) -> _Tree | None:
    """The tree of a changed text, made of the known one; None when that cannot be told to be right."""
    old = known.text
    same_before = _common(old, text)
    same_after = min(_common(old[::-1], text[::-1]), len(old) - same_before, len(text) - same_before)
    first = bisect_left(known.starts, same_before) - 1  # begins before the change
    last = bisect_left(known.starts, len(old) - same_after + 1)  # its line begins after the change
    if first < 0 or last >= len(known.starts):
        return None
    shift = len(text) - len(old)
    begin, end = known.starts[first], known.starts[last] + shift
    part = text[begin:end] + _SENTINEL
    try:
        module = parse(part)
    except cst.ParserSyntaxError:
        return None
    starts = _starts(part, module)
    *statements, sentinel = module.body
    if starts is None or not statements or not _is_sentinel(sentinel):
        return None
    if (module.default_indent, module.default_newline) != (known.module.default_indent, known.module.default_newline):
        return None
    body = known.module.body
    head = statements[0].with_changes(leading_lines=body[first].leading_lines)
    tail = body[last].with_changes(leading_lines=sentinel.leading_lines)
    changed = known.module.with_changes(body=(*body[:first], head, *statements[1:], tail, *body[last + 1 :]))
    moved = [begin + start for start in starts[:-1]]
    return _Tree(text, changed, [*known.starts[:first], *moved, *(start + shift for start in known.starts[last:])])


def _is_sentinel(statement: Statement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and [type(node) for node in statement.body] == [cst.Pass]


def _common(a: str, b: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
