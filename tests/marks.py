"""The notation of fixtures: which findings a file expects, on which lines."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"
FLAGGED = "# flagged"  # alone on its line: look-alikes stand above it, what is flagged below
_MARK = re.compile(r"# (error|todo-error|todo-ok):((?: \[[a-z0-9-]+\])+)")
_NAME = re.compile(r"\[([a-z0-9-]+)\]")

Expected = Counter[tuple[int, str]]


@dataclass(frozen=True)
class FixtureFile:
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def comments(self) -> list[tuple[int, str]]:
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]

    def marked(self, kind: str) -> Expected:
        """Row and rule name of every mark of a kind: error, todo-error or todo-ok."""
        return Counter(
            (row, name)
            for row, comment in self.comments
            for mark in _MARK.finditer(comment)
            if mark[1] == kind
            for name in _NAME.findall(mark[2])
        )

    @cached_property
    def flagged_row(self) -> int | None:
        """Where the section of flagged forms begins."""
        return next((row for row, comment in self.comments if comment == FLAGGED), None)

    def look_alikes(self) -> int:
        """How many statements stand above the flagged section, imports, headers and docstrings not counted."""
        statements = (node for node in ast.walk(ast.parse(self.text)) if isinstance(node, ast.stmt))
        return sum(
            not isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            and node.lineno < (self.flagged_row or 0)
            for node in statements
        )


def fixture_files(path: Path = FIXTURES) -> Iterator[FixtureFile]:
    """The fixture of a rule, which is a file or a folder of files; all fixtures by default."""
    paths = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    yield from (FixtureFile(path) for path in paths)
