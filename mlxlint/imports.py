"""Imports that fixes have left without use, and the text without them."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator

from mlxlint.rule import Edit
from mlxlint.source import Source

_WORD = re.compile(r"\w+")
_REEXPORTS = ("__init__.py", "conftest.py")  # here an import without use has one elsewhere


def unused_imports(before: Source, after: Source) -> list[Edit]:
    """The edits that take out of a text the imports whose names its earlier version used, and it does not.

    Only imports at top level count, and none that a comment stands beside: it may say why the import is there.
    """
    old, new = _parsed(before.text), _parsed(after.text)
    if old is None or new is None or os.path.basename(after.path) in _REEXPORTS:
        return []
    gone = _used(old) - _used(new)
    imports = [node for node in new.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [edit for node in imports for edit in _edits(node, gone, after)]


def _parsed(text: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _used(tree: ast.Module) -> set[str]:
    """All names that stand in the code, and the words of strings: annotations, ``__all__``, examples that are run."""
    return {word for node in ast.walk(tree) for word in _words(node)} - {"*"}


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from _WORD.findall(node.value)


def _edits(node: ast.Import | ast.ImportFrom, gone: set[str], source: Source) -> Iterator[Edit]:
    unused = [(alias.asname or alias.name).partition(".")[0] in gone for alias in node.names]
    start, end = _offsets(node, source)
    first, last = source.line_starts[node.lineno - 1], _line_end(node, source)
    alone = not source.text[first:start].strip() and not source.text[end:last].strip()
    if not any(unused) or not alone or "#" in source.text[first:last]:
        return
    if all(unused):
        yield Edit(first, last, "")
        return
    places = [_offsets(alias, source) for alias in node.names]
    for index, is_unused in enumerate(unused):
        if is_unused and all(unused[index:]):  # from the end of the last that stays
            yield Edit(places[index - 1][1], places[-1][1], "")
            return
        if is_unused:
            yield Edit(places[index][0], places[index + 1][0], "")


def _line_end(node: ast.stmt, source: Source) -> int:
    """Where the line after a statement begins."""
    assert node.end_lineno is not None
    return source.line_starts[node.end_lineno] if node.end_lineno < len(source.line_starts) else len(source.text)


def _offsets(node: ast.stmt | ast.alias, source: Source) -> tuple[int, int]:
    """Where a node begins and ends; Python counts its columns in bytes of UTF-8."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    places = ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
    start, end = (
        source.line_starts[row - 1] + len(source.line(row).encode()[:column].decode()) for row, column in places
    )
    return start, end
