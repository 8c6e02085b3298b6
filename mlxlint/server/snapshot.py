"""A document as it was when it was linted: places in what is linted, and the same places as the client counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lsprotocol import types

from mlxlint.notebook import cells_of, column_in_cell, plain
from mlxlint.rule import Edit, Finding, Position
from mlxlint.server.text import offset_at, units_of
from mlxlint.source import Source


@dataclass(frozen=True)
class Text:
    """A text as the client has it: a file's, or a cell's."""

    uri: str
    version: int
    source: Source


class Part(NamedTuple):
    """Where a text is in what is linted, after how many rows, and in which cell."""

    text: Text
    rows_before: int
    start: int
    end: int
    cell: int | None = None


class Edits(NamedTuple):
    """The edits of one text."""

    text: Text
    edits: list[types.TextEdit]


@dataclass(frozen=True)
class Snapshot:
    source: Source
    parts: Sequence[Part]
    encoding: str

    @classmethod
    def of_cells(cls, source: Source, texts: Mapping[int, Text], encoding: str) -> Snapshot:
        """Of a notebook: ``source`` is the joined text of cells, ``texts`` theirs by number."""
        cells = cells_of(source.text)
        rows = [source.position(cell.start).row - 1 for cell in cells]
        parts = [Part(texts[c.number], row, c.start, c.end, c.number) for c, row in zip(cells, rows)]
        return cls(source, parts, encoding)

    # To the client

    def _part(self, offset: int) -> Part:
        return next((part for part in reversed(self.parts) if part.start <= offset), self.parts[0])

    def place(self, offset: int) -> tuple[Text, types.Position]:
        """The text an offset is in, and the position there."""
        part, at = self._part(offset), self.source.position(offset)
        column = column_in_cell(self.source.line(at.row), at.column)
        return part.text, self._position(part.text, Position(max(at.row - part.rows_before, 1), column))

    def _position(self, text: Text, at: Position) -> types.Position:
        if at.row > (rows := len(text.source.line_starts)):  # where a cell's last line ends in the joined text only
            at = Position(rows, len(text.source.line(rows)) + 1)
        return types.Position(at.row - 1, units_of(text.source.line(at.row)[: at.column - 1], self.encoding))

    def range(self, start: int, end: int) -> tuple[Text, types.Range]:
        """The text of two offsets, and their range there."""
        text, first = self.place(start)
        other, last = self.place(end)
        return text, types.Range(first, last if other is text else first)

    def location(self, position: Position, cell: int | None) -> types.Location:
        """Where a row and column are, which in a notebook count in their cell."""
        part = next(part for part in self.parts if part.cell == cell)
        at = self._position(part.text, position)
        return types.Location(part.text.uri, types.Range(at, at))

    def edits(self, edits: Iterable[Edit]) -> list[Edits]:
        found: dict[str, Edits] = {}
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            text, range = self.range(edit.start, edit.end)
            content = plain(edit.content)
            if self.source.position(edit.end).row - self._part(edit.end).rows_before > len(text.source.line_starts):
                content = content.removesuffix("\n")
            found.setdefault(text.uri, Edits(text, [])).edits.append(types.TextEdit(range, content))
        return list(found.values())

    # From the client

    def offset(self, uri: str, position: types.Position) -> int | None:
        """The offset of a client's position; None for one in a text that is not linted."""
        part = next((part for part in self.parts if part.text.uri == uri), None)
        if part is None:
            return None
        source = part.text.source
        at = source.position(offset_at(source, position, self.encoding))
        row = min(at.row + part.rows_before, len(self.source.line_starts))
        return min(self.source.line_starts[row - 1] + at.column - 1, part.end)


@dataclass(frozen=True)
class Checked:
    """What was found in a document, and the state it was in."""

    state: tuple[int, int]
    document: Snapshot
    findings: Sequence[Finding]
