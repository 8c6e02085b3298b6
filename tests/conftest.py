"""What all tests share: an analysis with every rule on, a copy of the checkout, a count of what fixtures expect."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from marks import fixture_files

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Finding
from mlxlint.source import Source

ROOT = Path(__file__).parent.parent
HAZARD = "import mlx.core as mx\n\nx = mx.array([0.5, -1.0])\nkept = x[x > 0]\n"
PORTED = "import mlx.core as mx\n\nx = mx.array([0.5, -1.0])\nkept = mx.where(x > 0, x, 0)\n"

Lint = Callable[..., list[Finding]]


@pytest.fixture(scope="session")
def lint() -> Lint:
    """Lint a text, as the file at a path where its neighbours matter, with all rules on."""
    every = list(rules().values())

    def run(text: str, path: Path | None = None) -> list[Finding]:
        return Analysis(every).lint(Source(str(path or "example.py"), text), path)

    return run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a release is built from, so that a build leaves nothing behind in the checkout."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("mlxlint", "rules"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, copy)
    return copy


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    kinds = {"error": "flagged forms", "todo-error": "known misses", "todo-ok": "known false alarms"}
    counts = [f"{sum(file.marked(kind).total() for file in fixture_files())} {what}" for kind, what in kinds.items()]
    terminalreporter.write_line("fixtures: " + ", ".join(counts))
