"""Notebooks: their code cells as one text, findings told by cell, changed cells written back into the JSON in place.

In the text a line before each cell tells its number, so that whoever has the text knows the cells. Magics and shell
commands stand in it behind a mark that makes them Python of as many lines, and that is taken off again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mlxlint.source import UnreadableText, split_lines

if TYPE_CHECKING:
    from mlxlint.rule import Finding, Fix, Position
    from mlxlint.source import Source

SUFFIX = ".ipynb"
MARK = "\uf8ff"  # of the private use area: no code has it
_STATEMENT, _LINE = f"_#{MARK}", f"#{MARK}"  # in front of what is no Python: where a statement is needed, and elsewhere
_MARKS = re.compile(f"_?#{MARK}")
_BLOCK = "if True:  "  # at the head of a cell that is indented as a whole
_HEAD = re.compile(rf"^(?:{_BLOCK}| *)#{MARK}(\d+)\n\n", re.MULTILINE)
_NO_TEXT = re.compile(f"[\0\ud800-\udfff{MARK}]")
_PYTHON_MAGICS = frozenset({"capture", "debug", "ipytest", "memit", "mprun", "prun", "time", "timeit"})
_NOT_BLANK = re.compile(r"^[ \t]*[^ \t\r\n#]", re.MULTILINE)
_CELL_MAGIC = re.compile(r"\s*%%(\w*)")
_PERHAPS_MAGIC = re.compile(r"^[ \t]*[%!?,;/]|\?[ \t]*$|=[ \t]*[!%]", re.MULTILINE)
_MAGIC = re.compile(r"[ \t]*(?=[%!?,;/]|[^#\"'\r\n]*\?[ \t]*(?:[\r\n]|\Z))")
_ASSIGNED = re.compile(r"[ \t]*[^\r\n#=\"'(]+=[ \t]*(?=[!%])")
_CODE = re.compile(r"[^\r\n]")
_REST = re.compile(r"[^\r\n]*(?:\r\n?|\n)?")
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"""|\Z)|' + r"'''(?:\\.|[^\\])*?(?:'''|\Z)|"
    r'"(?:\\.|[^"\\\r\n])*"?|' + r"'(?:\\.|[^'\\\r\n])*'?|"
    r"\#[^\r\n]*|[()\[\]{}]|\\(?:\r\n?|\n)|\r\n?|\n",
    re.DOTALL,
)


# Cells to one text, and back


class Cell(NamedTuple):
    """Where a cell is in the joined text, and the line before it; ``number`` is its place in the notebook, from 1."""

    number: int
    head: int
    start: int
    end: int


def join(cells: Iterable[tuple[int, str]]) -> str:
    """The text of numbered cells; those in another language left out."""
    return "".join(_head(text) + f"{_LINE}{number}\n\n{_chunk(text)}" for number, text in cells if _is_python(text))


def cells_of(text: str) -> list[Cell]:
    heads = list(_HEAD.finditer(text)) if MARK in text else []
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [Cell(int(head[1]), head.start(), head.end(), end) for head, end in zip(heads, ends)]


def cell_at(text: str, offset: int) -> Cell:
    """The cell of the joined text that an offset is in."""
    cells = cells_of(text)
    return cells[max(bisect_right([cell.head for cell in cells], offset) - 1, 0)]


def plain(text: str) -> str:
    """A part of the joined text as it stands in its cell."""
    return _MARKS.sub("", text) if MARK in text else text


def column_in_cell(line: str, column: int) -> int:
    """The column that one of a line of the joined text is in its cell."""
    mark = _MARKS.search(line)
    if mark is None or column - 1 <= mark.start():
        return column
    return max(column - len(mark[0]), mark.start() + 1)


def _is_python(text: str) -> bool:
    magic = _CELL_MAGIC.match(text)
    return not _NO_TEXT.search(text) and (magic is None or magic[1] in _PYTHON_MAGICS)


def _head(text: str) -> str:
    first = _NOT_BLANK.search(text)
    return _BLOCK if first is not None and first[0][0] in " \t" else ""


def _chunk(text: str) -> str:
    text = _marked(text) if _PERHAPS_MAGIC.search(text) else text
    return text if text.endswith("\n") or not text else text + "\n"


def _marked(text: str) -> str:
    """A cell with a mark before each magic and shell command, which may go on after a backslash."""
    parts = []
    at = 0
    while at < len(text):
        if (magic := _MAGIC.match(text, at)) is not None:
            end = _line_end(text, at)
            parts += [magic[0], _STATEMENT if magic[0] else _LINE, text[magic.end() : end]]  # a block may need it
        elif (assigned := _ASSIGNED.match(text, at)) is not None:
            end = _line_end(text, at)
            parts += [assigned[0], _STATEMENT, text[assigned.end() : end]]
        else:
            end = _statement_end(text, at)
            parts.append(text[at:end])
            at = end
            continue
        while text[at:end].rstrip("\r\n").endswith("\\") and end < len(text):
            at, end = end, _line_end(text, end)
            parts += [_LINE, text[at:end]]
        at = end
    return "".join(parts)


def _line_end(text: str, at: int) -> int:
    match = _REST.match(text, at)
    return match.end() if match is not None else len(text)


def _statement_end(text: str, at: int) -> int:
    """The end of the logical line that begins at an offset."""
    depth = 0
    for token in _TOKEN.finditer(text, at):
        if token[0] in ("(", "[", "{"):
            depth += 1
        elif token[0] in (")", "]", "}"):
            depth -= 1
        elif token[0][0] in "\r\n" and depth <= 0:
            return token.end()
    return len(text)


# Findings by cell


def in_cells(findings: Iterable[Finding], source: Source) -> list[Finding]:
    """Findings in the joined text with the cell they are in, rows counted from its first."""
    source = put_back(source)
    cells = cells_of(source.text)
    if not cells:
        return list(findings)
    starts = [cell.start for cell in cells]
    rows = [source.position(start).row for start in starts]

    def place(position: Position) -> tuple[int, Position]:
        index = max(bisect_right(rows, position.row) - 1, 0)
        column = column_in_cell(source.line(position.row), position.column)
        return cells[index].number, replace(position, row=max(position.row - rows[index] + 1, 1), column=column)

    def placed(finding: Finding) -> Finding:
        cell, start = place(finding.start)
        before = finding.start.row - start.row
        reasons = []
        for reason in finding.reasons:
            if reason.position is not None:
                number, position = place(reason.position)
                reason = replace(reason, position=position, cell=number)
            reasons.append(reason)
        return replace(
            finding,
            cell=cell,
            start=start,
            end=replace(place(finding.end)[1], row=finding.end.row - before),
            statement=_moved(finding.statement, -before),
            reasons=tuple(reasons),
            fix=finding.fix if _within_cells(finding.fix, source) else None,
        )

    return [placed(finding) for finding in findings]


def _within_cells(fix: Fix | None, source: Source) -> bool:
    """Whether no edit reaches over a magic or the end of a cell."""
    return fix is None or not any(MARK in source.text[edit.start : edit.end] for edit in fix.edits)


def in_text(finding: Finding, source: Source) -> Finding:
    """A finding told by cell, with the rows of the joined text."""
    if finding.cell is None:
        return finding
    start, end = map(source.position, finding.offsets)
    return replace(finding, start=start, end=end, statement=_moved(finding.statement, start.row - finding.start.row))


def _moved(rows: tuple[int, int], by: int) -> tuple[int, int]:
    return (rows[0] + by, rows[1] + by) if rows[0] else rows


# Cells that are no Python


def set_aside(source: Source) -> Source:
    """A notebook without its cells that do not parse, which then cost no other their findings."""
    notebook = source.notebook
    if notebook is None or _parses(source.text):
        return source
    broken = {}
    text = source.text
    for cell in cells_of(text):
        if (error := _syntax_error(source.path, text[cell.head : cell.end])) is not None:
            broken[cell.number] = error
            head = text[cell.head : cell.start].replace(_BLOCK, " " * len(_BLOCK))
            blank = _CODE.sub(" ", text[cell.start : cell.end])
            text = text[: cell.head] + head + blank + text[cell.end :]
    return replace(source, text=text, notebook=replace(notebook, broken=broken))


def put_back(source: Source) -> Source:
    """A notebook with the cells that were set aside."""
    notebook, text = source.notebook, source.text
    if notebook is None or not notebook.broken:
        return source
    for cell in reversed(cells_of(text)):
        if cell.number in notebook.broken:
            text = text[: cell.head] + join([(cell.number, notebook.code[cell.number])]) + text[cell.end :]
    return replace(source, text=text, notebook=replace(notebook, broken={}))


def syntax_errors(source: Source) -> list[Finding]:
    """A finding for each cell that was set aside, in the text without them."""
    notebook = source.notebook
    if notebook is None or not notebook.broken:
        return []
    found = []
    for cell in cells_of(source.text):
        if (error := notebook.broken.get(cell.number)) is not None:
            stop = cell.start + len(source.text[cell.start : cell.end].rstrip("\r\n"))
            start, end = (max(cell.start, min(cell.head + offset, stop)) for offset in error.offsets)
            at, last = source.position(start), source.position(end)
            found.append(replace(error, offsets=(start, end), start=at, end=last, statement=(at.row, last.row)))
    return found


def _parses(text: str) -> bool:
    """Whether this Python takes the text; what it takes, others do."""
    import ast
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _syntax_error(path: str, text: str) -> Finding | None:
    import libcst as cst

    from mlxlint.engine import syntax_error
    from mlxlint.parse import parse
    from mlxlint.source import Source

    try:
        parse(text)
    except cst.ParserSyntaxError as error:
        return syntax_error(Source(path, text), error)
    except RecursionError:
        return None
    return None


# The file


@dataclass(frozen=True)
class _Code:
    """A code cell: its number, its source, and where that stands in the JSON."""

    number: int
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Notebook:
    """A notebook file. ``broken`` are the cells set aside, each with what is wrong with it."""

    json: str
    cells: tuple[_Code, ...]
    encoding: str = "utf-8"
    broken: Mapping[int, Finding] = field(default_factory=dict)

    @classmethod
    def decode(cls, data: bytes) -> Notebook:
        """Raises:
        UnreadableText: when the bytes are no notebook.
        """
        encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
        try:
            text = data.decode(encoding)
            tree = json.loads(text) if text.strip() else {"cells": []}
        except UnicodeDecodeError as error:
            row = data[: error.start].count(b"\n") + 1
            raise UnreadableText(f"not UTF-8: invalid byte 0x{data[error.start]:02x}", row) from None
        except json.JSONDecodeError as error:
            raise UnreadableText(f"not a notebook: {error.msg}", error.lineno) from None
        except RecursionError:
            raise UnreadableText("not a notebook: nested too deeply") from None
        if not isinstance(tree, dict) or not isinstance(tree.get("cells", tree.get("worksheets")), list):
            raise UnreadableText("not a notebook: it has no cells")
        if not _is_of_python(tree) or not text.strip():
            return cls(text, (), encoding)
        return cls(text, tuple(_code_cells(text)), encoding)

    @property
    def text(self) -> str:
        """The cells, joined."""
        return join(self.code.items())

    @property
    def code(self) -> dict[int, str]:
        """The cells' texts by number."""
        return {cell.number: cell.text for cell in self.cells}

    def encode(self, text: str) -> bytes:
        """The file with the cells as they are in a changed text; all else as it was, byte for byte."""
        written = self.json
        chunks = {cell.number: text[cell.start : cell.end] for cell in cells_of(text)}
        for cell in reversed(self.cells):
            chunk = chunks.get(cell.number)
            if chunk is None or chunk == _chunk(cell.text):
                continue
            changed = plain(chunk)
            if not cell.text.endswith("\n"):
                changed = changed.removesuffix("\n")
            written = written[: cell.start] + _literal(self.json, cell, changed) + written[cell.end :]
        return written.encode(self.encoding)


def _is_of_python(tree: Mapping[str, Any]) -> bool:
    """Whether a notebook's kernel is of Python, as it is when nothing is said of it."""
    metadata = tree.get("metadata")
    for table, key in (("kernelspec", "language"), ("language_info", "name")):
        told = metadata.get(table) if isinstance(metadata, dict) else None
        language = told.get(key) if isinstance(told, dict) else None
        if isinstance(language, str) and language:
            return language.lower() in ("python", "ipython")
    return True


def _code_cells(text: str) -> Iterator[_Code]:
    """The Python cells of a notebook of version 4, or of the worksheets of version 3."""
    number = 0
    for cells in _lists_of_cells(text):
        for at, _ in _elements(text, cells) if text[cells] == "[" else ():
            number += 1
            if text[at] != "{":
                continue
            members = {key: (start, end) for key, start, end in _members(text, at)}
            source = members.get("source", members.get("input"))
            if source is None or not _is_code(text, members):
                continue
            told = _value(text, source[0])
            lines = told if isinstance(told, list) else [told]
            if all(isinstance(line, str) for line in lines):
                yield _Code(number, "".join(lines), *source)


def _lists_of_cells(text: str) -> Iterator[int]:
    for key, at, _ in _members(text, _space(text, 0)):
        if key == "cells":
            yield at
        elif key == "worksheets":
            sheets = (sheet for sheet, _ in _elements(text, at) if text[sheet] == "{")
            yield from (at for sheet in sheets for key, at, _ in _members(text, sheet) if key == "cells")


def _is_code(text: str, members: Mapping[str, tuple[int, int]]) -> bool:
    def told(key: str) -> Any:
        return _value(text, members[key][0]) if key in members else None

    metadata = told("metadata")
    editor = metadata.get("vscode") if isinstance(metadata, dict) else None
    language = told("language") or (editor.get("languageId") if isinstance(editor, dict) else None) or "python"
    return told("cell_type") == "code" and language == "python"


def _literal(text: str, cell: _Code, changed: str) -> str:
    """A changed source as JSON, in the manner of what it was; lines that stand still are taken from there."""
    ascii_only = text.isascii() and "\\u" in text
    if text[cell.start] != "[":
        return json.dumps(changed, ensure_ascii=ascii_only)
    spans = list(_elements(text, cell.start))
    known = {_value(text, start): text[start:end] for start, end in spans}
    lines = [known.get(line) or json.dumps(line, ensure_ascii=ascii_only) for line in split_lines(changed)]
    if not spans or not lines:
        return "[" + ", ".join(lines) + "]"
    before = text[cell.start + 1 : spans[0][0]]
    after = text[spans[-1][1] : cell.end - 1]
    between = text[spans[0][1] : spans[1][0]] if len(spans) > 1 else f",{before or ' '}"
    return f"[{before}{between.join(lines)}{after}]"


# JSON with places: the text is known to be valid

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match is not None else at


def _value(text: str, at: int) -> Any:
    return _DECODER.raw_decode(text, at)[0]


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where the elements of the array at an offset begin and end."""
    at = _space(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _space(text, end)
        if text[at] == ",":
            at = _space(text, at + 1)


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The keys of the object at an offset, and where their values begin and end."""
    at = _space(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _space(text, _space(text, at) + 1)
        end = _DECODER.raw_decode(text, at)[1]
        yield key, at, end
        at = _space(text, end)
        if text[at] == ",":
            at = _space(text, at + 1)
