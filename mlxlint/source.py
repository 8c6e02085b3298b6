"""The text of one file: bytes to text and back, offsets to rows and columns."""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mlxlint.rule import Position

if TYPE_CHECKING:
    from mlxlint.notebook import Notebook

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_LINE_END = re.compile(r"\r\n?|\n")  # str.splitlines knows ten more, which end no line of Python


def split_lines(text: str) -> list[str]:
    """The lines of a text as Python counts them, each with its end."""
    return _LINE.findall(text)


class UnreadableText(Exception):
    """The bytes are no Python text; the argument says why, ``row`` where."""

    def __init__(self, message: str, row: int = 1) -> None:
        super().__init__(message)
        self.row = row


@dataclass(frozen=True)
class Source:
    """A file's text as the parser sees it. ``path`` is how reports name it.

    Of a ``notebook`` the text is its code cells, joined.
    """

    path: str
    text: str
    encoding: str = "utf-8"
    notebook: Notebook | None = None

    @classmethod
    def decode(cls, path: str, data: bytes) -> Source:
        """Decode by byte-order mark, PEP 263 cookie, or UTF-8; a notebook as what it is.

        Raises:
            UnreadableText: for NUL bytes, an unknown encoding, or bytes that are not of the encoding or no notebook.
        """
        if path.endswith(".ipynb"):
            from mlxlint.notebook import Notebook

            notebook = Notebook.decode(data)
            return cls(path, notebook.text, notebook.encoding, notebook)
        if b"\0" in data:
            raise UnreadableText("source code cannot contain null bytes", data[: data.index(b"\0")].count(b"\n") + 1)
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            row = data[: error.start].count(b"\n") + 1
            raise UnreadableText(f"not {error.encoding}: invalid byte 0x{data[error.start]:02x}", row) from None
        except (SyntaxError, LookupError) as error:
            raise UnreadableText(str(error.args[0])) from None
        return cls(path, text, encoding)

    def encode(self, text: str) -> bytes:
        """The bytes of a changed text in this file's encoding, byte-order mark kept."""
        if self.notebook is not None:
            return self.notebook.encode(text)
        if self.encoding == "utf-8-sig":
            return codecs.BOM_UTF8 + text.encode("utf-8")
        return text.encode(self.encoding)

    @cached_property
    def line_starts(self) -> list[int]:
        starts = [0]
        for end in _LINE_END.finditer(self.text):
            starts.append(end.end())
        return starts

    @cached_property
    def newline(self) -> str:
        """How new lines are to end."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def position(self, offset: int) -> Position:
        row = bisect_right(self.line_starts, offset)
        return Position(row, offset - self.line_starts[row - 1] + 1)

    def line(self, row: int) -> str:
        """The text of a row (from 1), without its line end; "" past the end."""
        if not 1 <= row <= len(self.line_starts):
            return ""
        end = self.line_starts[row] if row < len(self.line_starts) else len(self.text)
        return self.text[self.line_starts[row - 1] : end].rstrip("\r\n")
