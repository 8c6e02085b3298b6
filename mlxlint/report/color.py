"""Styled lines with a terminal's colours. Only the sixteen that follow the reader's own palette, dark or light."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from rich.color import ColorSystem
from rich.style import Style

from mlxlint.report.paint import Line
from mlxlint.report.shared import showable

_STYLES = {
    "error": "bold red",
    "warning": "bold yellow",
    "info": "bold cyan",
    "good": "green",
    "label": "cyan",
    "message": "bold",
    "path": "bold",
    "weak": "dim",
}
_CODE = {
    Comment: "dim italic",
    Keyword: "magenta",
    Operator.Word: "magenta",
    Name.Builtin: "cyan",
    Name.Class: "blue",
    Name.Decorator: "blue",
    Name.Function: "blue",
    Number: "cyan",
    String: "green",
}


class Colored:
    def __init__(self, links: bool) -> None:
        self.links = links
        self.lexer = PythonLexer(stripnl=False, ensurenl=False)

    def line(self, line: Line) -> str:
        return "".join(self._paint(showable(text), style) for text, style in line)

    def _paint(self, text: str, style: str) -> str:
        if style.startswith("link "):
            style = style if self.links else ""
        return _style(style).render(text, color_system=ColorSystem.STANDARD) if style else text

    def code(self, lines: Sequence[str]) -> list[Line]:
        highlighted: list[Line] = [[]]
        for token, text in self.lexer.get_tokens("\n".join(lines)):
            for number, piece in enumerate(text.split("\n")):
                if number:
                    highlighted.append([])
                if piece:
                    highlighted[-1].append((piece, _code_style(token)))
        return highlighted


@cache
def _style(name: str) -> Style:
    return Style.parse(_STYLES.get(name, name))


@cache
def _code_style(token: _TokenType) -> str:
    return next((_CODE[kind] for kind in reversed(token.split()) if kind in _CODE), "")
