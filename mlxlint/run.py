"""Many files to findings: gate, cache, workers, order."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlxlint.checker import Checker, Outcome, Task
from mlxlint.config import Settings
from mlxlint.contents import Content, read
from mlxlint.files import File, problem
from mlxlint.rule import Applicability, Finding
from mlxlint.source import Source, UnreadableText

if TYPE_CHECKING:
    from mlxlint.cache import Memory
    from mlxlint.fix import Fixed

STDIN = "-"
Advance = Callable[[int, int], None]  # bytes done, bytes in all


class ExecutorError(Exception):
    """A cluster cannot be used; the argument is one line that says why."""


@dataclass
class Result:
    """What a run found: findings in order, a line for each file that could not be read, and by shown path the settings
    of each file checked and the new text of each that fixes change.
    """

    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    checked: dict[str, Settings] = field(default_factory=dict)
    fixed: dict[str, Fixed] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.findings += outcome.findings
        if outcome.fixed is not None:
            self.fixed[outcome.fixed.source.path] = outcome.fixed

    def take_fixed(self, path: str) -> None:
        """Turn to what is left in a file whose fixes were made."""
        self.findings = [f for f in self.findings if f.path != path] + [*self.fixed[path].left]
        self.sort()

    def sort(self) -> None:
        self.findings.sort(key=lambda finding: finding.sort_key)

    def fails(self, finding: Finding) -> bool:
        """Whether a finding makes the exit code 1: bad enough, and not refuted by the MLX installed."""
        refuted = finding.verification is not None and finding.verification.status == "refuted"
        return not refuted and finding.severity.rank >= self.checked[finding.path].fail_on.rank


class Texts:
    """The texts of checked files by shown path, read when asked for; ``given`` are those that are not on disk."""

    def __init__(self, given: Mapping[str, bytes] | None = None) -> None:
        self._given = dict(given or {})
        self._sources: dict[str, Source | None] = {}

    def give(self, path: str, data: bytes) -> None:
        self._given[path] = data
        self._sources.pop(path, None)

    def data(self, path: str) -> bytes:
        """Raises:
        OSError: when the file cannot be read.
        """
        return self._given[path] if path in self._given else Path(path).read_bytes()

    def source(self, path: str) -> Source | None:
        """None when the file cannot be read or decoded."""
        if path not in self._sources:
            try:
                self._sources[path] = Source.decode(path, self.data(path))
            except (OSError, UnreadableText):
                self._sources[path] = None
        return self._sources[path]

    def text(self, path: str) -> str | None:
        source = self.source(path)
        return source.text if source else None

    def line(self, finding: Finding) -> str:
        """The text of the line at which a finding starts."""
        source = self.source(finding.path)
        return source.line(source.position(finding.offsets[0]).row) if source else ""


def check(
    files: Sequence[File],
    *,
    jobs: int | None = None,
    advance: Advance | None = None,
    fixes: Applicability | None = None,
    cached: bool = False,
    executor: str | None = None,
) -> Result:
    """Check files, in this process or in ``jobs`` worker processes (default: one a processor) where that is faster.

    A file found in a folder that does not mention MLX has nothing to be checked; a named one is at least parsed. No
    file is written but the cache, where findings are to be ``cached``: ``fixes`` says which ones to make of the texts.
    ``executor`` is the address of a cluster to use in place of processes.

    Raises:
        ExecutorError: when the cluster cannot be used.
    """
    result = Result()
    with ExitStack() as stack:
        memory = stack.enter_context(_memory()) if cached else None
        tasks = []
        for file in files:
            try:
                content = memory.content(file.path, file.settings) if memory else Content.of(read(file.path))
                task = _task(file, content, fixes, memory, result)
            except OSError as error:
                result.problems.append(problem(file.path, error))
                continue
            if task is not None:
                tasks.append(task)
        if tasks:
            _check_all(tasks, result, memory, jobs or processors(), executor, advance)
    result.sort()
    return result


def _memory() -> Memory:
    from mlxlint.cache import Memory

    return Memory()


def _task(
    file: File, content: Content, fixes: Applicability | None, memory: Memory | None, result: Result
) -> Task | None:
    """What is to be done for a file; None when nothing is, for there can be no finding in it, or all are known.

    Raises:
        OSError: when the file cannot be read.
    """
    result.checked[file.shown] = file.settings
    if not file.named and not content.mentions_mlx:
        return None
    if memory is not None and _recall(memory, file, content.digest, fixes, result):
        return None
    data = read(file.path) if content.data is None else content.data
    return Task(file.path, file.shown, data, file.settings, fixes, asks_facts=memory is not None)


def _recall(memory: Memory, file: File, text: str, fixes: Applicability | None, result: Result) -> bool:
    """Add what is known of a text to the result; False when it is not known, or fixes are to be made of it."""
    findings = memory.recall(file.path, file.shown, text, file.settings)
    if findings is None:
        return False
    if fixes is not None:
        from mlxlint.fix import applicable

        if any(applicable(finding, fixes is Applicability.UNSAFE) for finding in findings):
            return False
    result.findings += findings
    return True


def _check_all(
    tasks: Sequence[Task],
    result: Result,
    memory: Memory | None,
    jobs: int,
    executor: str | None,
    advance: Advance | None,
) -> None:
    from mlxlint.workers import check_all

    total = sum(len(task.data) for task in tasks)
    done = 0
    with closing(check_all(tasks, jobs, executor)) as checked:
        for task, outcome in checked:
            result.add(outcome)
            if memory is not None:
                memory.keep(task, outcome)
            done += len(task.data)
            if advance is not None:
                advance(done, total)


def check_text(
    data: bytes,
    settings: Settings,
    *,
    shown: str = STDIN,
    path: str | None = None,
    fixes: Applicability | None = None,
) -> Result:
    """Check one text that was not read from its file."""
    result = Result(checked={shown: settings})
    result.add(Checker().check(Task(path, shown, data, settings, fixes)))
    result.sort()
    return result


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
