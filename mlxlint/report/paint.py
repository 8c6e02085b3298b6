"""Styled lines: how wide they are, and how they look without colours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Protocol

from mlxlint.report.shared import showable

Line = list[tuple[str, str]]  # pieces of text, each with the name of its style ("" for none, "link URL" for a link)


_WORD = re.compile(r"\s*\S+|\s+")


def width(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf") and showable(character) == character:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(line: Line, room: int, indent: int) -> Iterator[Line]:
    """A line broken between words where it takes more than ``room`` cells, the further lines indented."""
    if sum(width(text) for text, _ in line) <= room:
        yield line
        return
    row: Line = []
    used = 0
    for word, style in ((word, style) for text, style in line for word in _WORD.findall(text)):
        if row and used + width(word) > room:
            yield row
            row, used, word = [(" " * indent, "")], indent, word.lstrip()
        row.append((word, style))
        used += width(word)
    yield row


class Painter(Protocol):
    def line(self, line: Line) -> str:
        """A line as it goes to the stream."""
        ...

    def code(self, lines: Sequence[str]) -> list[Line]:
        """Consecutive lines of Python, highlighted."""
        ...


class Plain:
    def line(self, line: Line) -> str:
        return showable("".join(text for text, _ in line)).rstrip()

    def code(self, lines: Sequence[str]) -> list[Line]:
        return [[(line, "")] for line in lines]
