"""What all tests share: an analysis with every rule on, a copy of the checkout, a count of what fixtures expect."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from marks import fixture_files

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Finding
from mlxlint.source import Source

ROOT = Path(__file__).parent.parent
HAZARD = "import mlx.core as mx\n\nx = mx.array([0.5, -1.0])\nkept = x[x > 0]\n"
PORTED = "import mlx.core as mx\n\nx = mx.array([0.5, -1.0])\nkept = mx.where(x > 0, x, 0)\n"

FEW_TEXTS = 100_000  # characters whose trees are held at a time: the garbage collector walks them in every test

Lint = Callable[..., list[Finding]]

# How long an example takes says nothing on a busy machine; benchmarks measure time.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def lint() -> Lint:
    """Lint a text with all rules on, each text once; as one of the fixtures, where its neighbours matter."""
    analysis = Analysis(list(rules().values()))

    @cache
    def findings(text: str, path: Path | None) -> tuple[Finding, ...]:
        if analysis.project.size > FEW_TEXTS:
            analysis.forget()
        return tuple(analysis.lint(Source(str(path or "example.py"), text), path))

    return lambda text, path=None: list(findings(text, path))


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


def pytest_collection_finish() -> None:
    """What is there by now stays: the garbage collector need not walk it again and again."""
    gc.freeze()
    gc.set_threshold(50_000)
