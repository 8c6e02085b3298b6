"""Styled lines, and how they look without colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mlxlint.report.shared import showable

Line = list[tuple[str, str]]  # pieces of text, each with the name of its style ("" for none, "link URL" for a link)


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
