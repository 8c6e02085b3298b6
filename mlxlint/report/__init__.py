"""Findings to text: one module per output format, each with ``write(findings, context, stream)``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from mlxlint.rule import Finding, Rule
from mlxlint.source import Source

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "html")
STATISTICS_FORMATS = ("text", "concise", "json")


@dataclass(frozen=True, eq=False)
class ReportContext:
    """What a report says beside its findings.

    ``sources`` gives the text of a linted file by ``Finding.path``, or None where it cannot be read. ``files`` is the
    number of files checked. ``root`` is absolute; names are shown relative to it. ``color`` None leaves the choice to
    the terminal, ``NO_COLOR`` and ``FORCE_COLOR``; ``width`` None takes the terminal's.
    """

    sources: Callable[[str], str | None]
    files: int
    root: Path
    statistics: bool = False
    color: bool | None = None
    width: int | None = None
    elapsed: float | None = None
    suppressed: int = 0
    baselined: int = 0
    fixed: int = 0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    _read: dict[str, Source | None] = field(default_factory=dict, init=False, repr=False)

    def source(self, path: str) -> Source | None:
        """The text of a linted file, asked for once; None where it cannot be read."""
        if path not in self._read:
            text = self.sources(path)
            self._read[path] = None if text is None else Source(path, text)
        return self._read[path]


def write(format: str, findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    """Write a report in one of ``FORMATS``, findings in the order given.

    Raises:
        ValueError: when the format is unknown, or has no statistics and ``context.statistics`` asks for them.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown output format `{format}`")
    if context.statistics and format not in STATISTICS_FORMATS:
        raise ValueError(f"output format `{format}` has no statistics")
    importlib.import_module(f"{__name__}.{format}").write(findings, context, stream)
