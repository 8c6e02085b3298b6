"""The lines of code that a finding is about, with the place underlined."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlxlint.report.paint import Line, Painter
from mlxlint.report.paint import width as cell_width
from mlxlint.report.shared import showable
from mlxlint.rule import Finding
from mlxlint.source import Source

TAB = 4
HEAD, TAIL = 4, 2  # how many rows of a long place are shown
ELLIPSIS = "..."


@dataclass(frozen=True)
class Clip:
    """The part of a line that is shown, and the cells of the terminal where the place begins and ends."""

    text: str
    first: int
    last: int
    whole: bool = True


@dataclass(frozen=True)
class Excerpt:
    """``rows`` are the place's rows as shown; ``labels`` their line numbers, "" for a gap."""

    rows: list[Clip]
    labels: list[str]
    style: str

    @property
    def gutter(self) -> int:
        return max(map(len, self.labels))

    def lines(self, painter: Painter) -> Iterator[Line]:
        texts = [row.text for row in self.rows]
        whole = all(row.whole for row in self.rows)  # half a string would give the wrong colours to all that follows
        code: list[Line] = painter.code(texts) if whole else [[(text, "")] for text in texts]
        return self._beside(code) if len(self.rows) > 1 else self._below(code[0])

    def _below(self, code: Line) -> Iterator[Line]:
        """A place on one row: a line of ``^`` below it."""
        [row] = self.rows
        yield self._row(self.labels[0], code)
        yield self._row("", [(" " * row.first + "^" * max(row.last - row.first, 1), self.style)])

    def _beside(self, code: list[Line]) -> Iterator[Line]:
        """A place on several rows: a bar beside them that leads from its first character to its last."""
        first, last = self.rows[0], self.rows[-1]
        if first.text[: first.first].strip():
            yield self._row(self.labels[0], [("  ", ""), *code[0]])
            yield self._row("", [(" _" + "_" * first.first + "^", self.style)])
        else:
            yield self._row(self.labels[0], [("/ ", self.style), *code[0]])
        for label, line in zip(self.labels[1:], code[1:]):
            yield self._row(label, [("| ", self.style), *line])
        yield self._row("", [("|_" + "_" * max(last.last - 1, 0) + "^", self.style)])

    def _row(self, label: str, content: Line) -> Line:
        return [(f"{label:>{self.gutter}} | ", "weak"), *content]


def excerpt(finding: Finding, source: Source, before: int, width: int) -> Excerpt:
    """The rows of a finding, clipped to ``width`` cells; ``before`` rows of the text come before its first row."""
    start, end = finding.start, max(finding.end, finding.start, key=lambda position: (position.row, position.column))
    last_row, end_column = end.row, end.column
    if end_column == 1 and last_row > start.row:  # ends with a line break
        last_row -= 1
        end_column = len(source.line(last_row + before)) + 1
    room = max(width - len(str(last_row)) - 5, 20)
    rows, labels = [], []
    for row in shown_rows(start.row, last_row):
        if row is None:
            rows.append(Clip(ELLIPSIS, 0, 0))
            labels.append("")
            continue
        line = source.line(row + before)
        first = start.column - 1 if row == start.row else len(line) - len(line.lstrip())
        last = end_column - 1 if row == last_row else len(line)
        rows.append(clip(line, first, last, room))
        labels.append(str(row))
    return Excerpt(rows, labels, finding.severity.value)


def shown_rows(first: int, last: int) -> Iterator[int | None]:
    """The rows from first to last, the middle of many left out as None."""
    if last - first <= HEAD + TAIL:
        yield from range(first, last + 1)
        return
    yield from range(first, first + HEAD)
    yield None
    yield from range(last - TAIL + 1, last + 1)


def clip(line: str, first: int, last: int, room: int) -> Clip:
    """What of a line fits in ``room`` cells, the characters ``first:last`` in the middle when not all of it does."""
    first = min(first, len(line))
    last = max(first, min(last, len(line)))
    begin, end = max(0, first - room), min(len(line), last + room, first + 2 * room)
    shown, cells = _laid_out(line[begin:end])
    first, last = first - begin, min(last, end) - begin
    if begin == 0 and end == len(line) and cells[-1] <= room:
        return Clip("".join(shown), cells[first], cells[last])
    room -= 2 * len(ELLIPSIS)
    margin = max(room - (cells[last] - cells[first]), 0) // 2
    left = min(max(cells[first] - margin, 0), max(cells[-1] - room, 0))
    low, high = bisect_left(cells, left), bisect_right(cells, left + room) - 1
    head = ELLIPSIS if begin + low > 0 else ""
    tail = ELLIPSIS if begin + high < len(line) else ""
    shift = len(head) - cells[low]
    text = head + "".join(shown[low:high]) + tail
    return Clip(text, cells[first] + shift, cells[min(last, high)] + shift, whole=False)


def _laid_out(text: str) -> tuple[Sequence[str], Sequence[int]]:
    """Each character as a terminal shows it, and the cell where each begins (and where the last one ends)."""
    if text.isascii() and text.isprintable():
        return text, range(len(text) + 1)
    shown, cells = [], [0]
    for character in text:
        if character == "\t":
            character = " " * (TAB - cells[-1] % TAB)
        shown.append(showable(character))
        cells.append(cells[-1] + cell_width(character))
    return shown, cells
