"""Files to what an audit says of them: in this process or in several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlxlint import notebook, registry
from mlxlint.audit.reading import Reading
from mlxlint.audit.survey import FileAudit, Survey, audited
from mlxlint.checker import Checker, Outcome, Task
from mlxlint.config import Settings
from mlxlint.files import File, problem
from mlxlint.run import Advance, processors
from mlxlint.source import Source, UnreadableText


@dataclass
class Audited(Outcome):
    """What came of one text."""

    audit: FileAudit | None = None


class Auditor(Checker):
    """Audits texts one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._readings: dict[Settings, Reading] = {}

    def check(self, task: Task) -> Audited:
        try:
            source = Source.decode(task.shown, task.data)
        except UnreadableText as error:
            return Audited([], audit=FileAudit(task.shown, 0, problem=str(error)))
        if source.notebook is not None:
            source = notebook.set_aside(source)
        reading = self._reading(task.settings)
        findings = reading.lint(source, Path(task.path) if task.path else None)
        findings += notebook.syntax_errors(source)
        return Audited([], audit=audited(source, reading.uses, reading.unresolved, findings))

    def _reading(self, settings: Settings) -> Reading:
        if settings not in self._readings:
            rules = [rule for code, rule in registry.rules().items() if code in settings.codes]
            search = [Path(folder) for folder in settings.src]
            reading = Reading(rules, min_confidence=settings.min_confidence, search=search)
            self._readings[settings] = self._analyses[settings] = reading
        return self._readings[settings]


def survey(files: Sequence[File], *, jobs: int | None = None, advance: Advance | None = None) -> Survey:
    """Audit files; those that do not name PyTorch are only counted."""
    from mlxlint.workers import check_all

    tasks, problems, others = [], [], 0
    for file in files:
        try:
            data = Path(file.path).read_bytes()
        except OSError as error:
            problems.append(problem(file.path, error))
            continue
        if b"torch" in data:
            tasks.append(Task(file.path, file.shown, data, file.settings))
        else:
            others += 1
    audits = []
    total, done = sum(len(task.data) for task in tasks), 0
    with closing(check_all(tasks, jobs or processors(), checker=Auditor)) as checked:
        for task, outcome in checked:
            audits.append(_audit(task, outcome))
            done += len(task.data)
            if advance is not None:
                advance(done, total)
    audits.sort(key=lambda audit: audit.path)
    return Survey(audits, others, problems)


def _audit(task: Task, outcome: Outcome) -> FileAudit:
    """Of an outcome without one the finding tells what became of the process."""
    audit = outcome.audit if isinstance(outcome, Audited) else None
    return audit or FileAudit(task.shown, 0, problem="; ".join(finding.message for finding in outcome.findings))
