"""One text after the other to findings: decoded, linted, suppressed ones left out, graded, fixed."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlxlint import notebook, registry
from mlxlint.config import Settings
from mlxlint.model.finder import Facts
from mlxlint.rule import Applicability, Finding, Severity
from mlxlint.source import Source, UnreadableText

if TYPE_CHECKING:
    from mlxlint.engine import Analysis
    from mlxlint.fix import Fixed
    from mlxlint.model.finder import File
    from mlxlint.syntax import Syntax

    Read = Callable[[str, str], Syntax]
    OpenFile = Callable[[str, bytes | None], File]

INTERNAL_ERROR = "MLX002"
NO_FACTS = Facts({}, {})
MOST_TEXT = 9_000_000  # characters whose trees are held at a time, some 25 bytes for each


@dataclass(frozen=True, eq=False)
class Task:
    """One text to check. ``path`` is absolute, or None for a text that has no place on disk."""

    path: str | None
    shown: str
    data: bytes
    settings: Settings
    fixes: Applicability | None = None  # the least safe ones to make
    asks_facts: bool = False  # for what the findings rest on beside the text


@dataclass
class Outcome:
    """What came of one text: its findings and, where these can be fixed, the text after that.

    ``facts`` are what the findings rest on in other files, when asked for; None: the findings are not to be kept.
    """

    findings: list[Finding]
    fixed: Fixed | None = None
    facts: Facts | None = None


class Checker:
    """Checks texts one after the other, with one analysis for each settings.

    ``unsaved`` is what other files are to be taken for, by their real paths. What lasts longer than this may give the
    others: ``read`` the syntax of a text, with the path it is from; ``open_file`` what a file holds.
    """

    def __init__(
        self,
        unsaved: Mapping[str, bytes] | None = None,
        read: Read | None = None,
        open_file: OpenFile | None = None,
    ) -> None:
        self._unsaved = unsaved
        self._read = read
        self._open_file = open_file
        self._analyses: dict[Settings, Analysis] = {}

    def check(self, task: Task) -> Outcome:
        """The findings in one text, suppressed ones left out."""
        try:
            source = Source.decode(task.shown, task.data)
        except UnreadableText as error:
            finding = finding_at_row("syntax-error", task, error.row, {"reason": str(error)})
            return Outcome([finding], facts=NO_FACTS if task.asks_facts else None)
        if source.notebook is not None:
            source = notebook.set_aside(source)
        findings = self._lint(source, task)
        facts = self._facts(task, findings) if task.asks_facts else None
        return Outcome(findings, self._fix(source, task, findings) if task.fixes else None, facts)

    def _lint(self, source: Source, task: Task) -> list[Finding]:
        from mlxlint import suppress

        settings = task.settings
        enabled = settings.codes_for(task.path or os.path.abspath(task.shown))
        found = self._analysis(settings).lint(source, Path(task.path) if task.path else None)
        if source.notebook is not None:
            found += notebook.syntax_errors(source)
        findings = suppress.apply(source, [finding for finding in found if finding.code in enabled], enabled)
        if source.notebook is not None:
            findings = notebook.in_cells(findings, source)
        return [_graded(finding, settings) for finding in findings]

    def _facts(self, task: Task, findings: list[Finding]) -> Facts | None:
        if task.path is None or any(finding.code == INTERNAL_ERROR for finding in findings):
            return None
        return self._analysis(task.settings).project.facts(Path(task.path))

    def _fix(self, source: Source, task: Task, findings: list[Finding]) -> Fixed | None:
        """What fixes make of a text; None where they change nothing."""
        from mlxlint.fix import applicable, fix

        unsafe = task.fixes is Applicability.UNSAFE
        if not any(applicable(finding, unsafe) for finding in findings):
            return None
        fixed = fix(source, findings, lambda text: self._lint(text, task), unsafe)
        return fixed if source.notebook is None else replace(fixed, source=notebook.put_back(fixed.source))

    def _analysis(self, settings: Settings) -> Analysis:
        from mlxlint.engine import Analysis

        if settings not in self._analyses:
            self._analyses[settings] = Analysis(
                registry.unloaded(settings.codes),
                min_confidence=settings.min_confidence,
                search=[Path(folder) for folder in settings.src],
                target_mlx=settings.value("target-mlx"),
                target_mlx_lm=settings.value("target-mlx-lm"),
                unsaved=self._unsaved,
            )
            project = self._analyses[settings].project
            project.read_syntax = self._read or project.read_syntax
            project.finder.open_file = self._open_file or project.finder.open_file
        return self._analyses[settings]

    def forget(self) -> None:
        """Let go of the trees of the files seen, when they are many. To be called between two files."""
        if sum(analysis.project.size for analysis in self._analyses.values()) > MOST_TEXT:
            for analysis in self._analyses.values():
                analysis.forget(MOST_TEXT // 2 // len(self._analyses))


def _graded(finding: Finding, settings: Settings) -> Finding:
    """With the severity set for it. What a fix may change is for the reader to decide where a finding is but a note."""
    severity, fix = settings.severity.get(finding.code, finding.severity), finding.fix
    if fix is not None and severity is Severity.INFO and fix.applicability is Applicability.UNSAFE:
        fix = replace(fix, applicability=Applicability.MANUAL)
    return replace(finding, severity=severity, fix=fix)


def finding_at_row(rule: str, task: Task, row: int, data: Mapping[str, str]) -> Finding:
    """A finding of the tool's own about a text that need not be one."""
    from mlxlint.tool import tool_finding

    source = Source(task.shown, task.data.decode("latin-1"))
    start = source.line_starts[min(row, len(source.line_starts)) - 1]
    return tool_finding(rule, source, (start, start), data)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: syntax trees are millions of objects, walked in vain again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
