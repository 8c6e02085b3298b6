"""What all tests share: one analysis with every rule on, and a count of what the fixtures expect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from marks import fixture_files

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Finding
from mlxlint.source import Source

Lint = Callable[..., list[Finding]]


@pytest.fixture(scope="session")
def lint() -> Lint:
    """Lint a text, as the file at a path where its neighbours matter, with all rules on."""
    every = list(rules().values())

    def run(text: str, path: Path | None = None) -> list[Finding]:
        return Analysis(every).lint(Source(str(path or "example.py"), text), path)

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = {kind: sum(file.marked(kind).total() for file in fixture_files()) for kind in ("error", "todo-error", "todo-ok")}
    terminalreporter.write_line(
        "fixtures: {error} flagged forms, {todo-error} known misses, {todo-ok} known false alarms".format(**counts)
    )
