"""Places in texts as clients count them: rows from 0, columns in units of UTF-8, UTF-16 or UTF-32."""

from __future__ import annotations

from dataclasses import replace

from lsprotocol import types

from mlxlint.source import Source


def units_of(text: str, encoding: str) -> int:
    """How many units a client counts for a text."""
    if encoding == types.PositionEncodingKind.Utf32 or text.isascii():
        return len(text)
    if encoding == types.PositionEncodingKind.Utf8:
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def index_of(line: str, units: int, encoding: str) -> int:
    """The index in a line after that many units: at most its length, and before a character that is only half meant."""
    if encoding == types.PositionEncodingKind.Utf32 or line.isascii():
        return min(units, len(line))
    for index, character in enumerate(line):
        units -= units_of(character, encoding)
        if units < 0:
            return index
    return len(line)


def offset_at(source: Source, position: types.Position, encoding: str) -> int:
    """The offset of a client's position; past the end of a line or of the text, that end."""
    if position.line >= len(source.line_starts):
        return len(source.text)
    line = source.line(position.line + 1)
    return source.line_starts[position.line] + index_of(line, position.character, encoding)


def changed(source: Source, change: types.TextDocumentContentChangeEvent, encoding: str) -> Source:
    """A text after a change as a client tells it."""
    if isinstance(change, types.TextDocumentContentChangeWholeDocument):
        return replace(source, text=change.text)
    start = offset_at(source, change.range.start, encoding)
    end = max(start, offset_at(source, change.range.end, encoding))
    return replace(source, text=source.text[:start] + change.text + source.text[end:])
