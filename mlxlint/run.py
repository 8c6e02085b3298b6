"""Many files to findings: gate, worker processes, suppressions, severities, order."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlxlint import registry, suppress
from mlxlint.config import Settings
from mlxlint.files import File, problem
from mlxlint.rule import Applicability, Finding, Severity
from mlxlint.source import Source, UnreadableText
from mlxlint.tool import tool_finding

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

    from mlxlint.engine import Analysis
    from mlxlint.fix import Fixed

POOL_FROM = 200_000  # bytes of Python below which starting worker processes costs more than it saves
BATCHES_A_WORKER = 8
STDIN = "-"

Advance = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, eq=False)
class Task:
    """One text to check. ``path`` is absolute, or None for a text that has no place on disk."""

    path: str | None
    shown: str
    data: bytes
    settings: Settings
    fixes: Applicability | None = None  # the least safe ones to make


@dataclass
class Outcome:
    """What came of one text: its findings and, where these can be fixed, the text after that."""

    findings: list[Finding]
    fixed: Fixed | None = None


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
        return source.line(finding.start.row) if source else ""


class Checker:
    """Checks texts one after the other, with one analysis for each settings."""

    def __init__(self) -> None:
        self._analyses: dict[Settings, Analysis] = {}
        gc.disable()  # syntax trees are millions of objects without cycles, walked in vain again and again

    def check(self, task: Task) -> Outcome:
        """The findings in one text, suppressed ones left out."""
        try:
            source = Source.decode(task.shown, task.data)
        except UnreadableText as error:
            return Outcome([_at_row("syntax-error", task, error.row, {"reason": str(error)})])
        findings = self._lint(source, task)
        return Outcome(findings, self._fix(source, task, findings) if task.fixes else None)

    def _lint(self, source: Source, task: Task) -> list[Finding]:
        settings = task.settings
        enabled = settings.codes_for(task.path or os.path.abspath(task.shown))
        found = self._analysis(settings).lint(source, Path(task.path) if task.path else None)
        findings = suppress.apply(source, [finding for finding in found if finding.code in enabled], enabled)
        return [_graded(finding, settings) for finding in findings]

    def _fix(self, source: Source, task: Task, findings: list[Finding]) -> Fixed | None:
        """What fixes make of a text; None where they change nothing."""
        from mlxlint.fix import applicable, fix

        unsafe = task.fixes is Applicability.UNSAFE
        if not any(applicable(finding, unsafe) for finding in findings):
            return None
        return fix(source, findings, lambda text: self._lint(text, task), unsafe)

    def _analysis(self, settings: Settings) -> Analysis:
        from mlxlint.engine import Analysis

        if settings not in self._analyses:
            self._analyses[settings] = Analysis(
                [rule for code, rule in registry.rules().items() if code in settings.codes],
                min_confidence=settings.min_confidence,
                search=[Path(folder) for folder in settings.src],
                target_mlx=settings.value("target-mlx"),
                target_mlx_lm=settings.value("target-mlx-lm"),
            )
        return self._analyses[settings]


def _graded(finding: Finding, settings: Settings) -> Finding:
    """With the severity set for it. What a fix may change is for the reader to decide where a finding is but a note."""
    severity, fix = settings.severity.get(finding.code, finding.severity), finding.fix
    if fix is not None and severity is Severity.INFO and fix.applicability is Applicability.UNSAFE:
        fix = replace(fix, applicability=Applicability.MANUAL)
    return replace(finding, severity=severity, fix=fix)


def _at_row(rule: str, task: Task, row: int, data: Mapping[str, str]) -> Finding:
    source = Source(task.shown, task.data.decode("latin-1"))
    start = source.line_starts[min(row, len(source.line_starts)) - 1]
    return tool_finding(rule, source, (start, start), data)


def check(
    files: Sequence[File],
    *,
    jobs: int | None = None,
    advance: Advance | None = None,
    fixes: Applicability | None = None,
) -> Result:
    """Check files, in this process or in ``jobs`` worker processes (default: one a processor) where that is faster.

    A file found in a folder that does not mention MLX has nothing to be checked; a named one is at least parsed. No
    file is written: ``fixes`` says which ones to make of the texts.
    """
    result = Result()
    tasks = []
    for file in files:
        try:
            data = Path(file.path).read_bytes()
        except OSError as error:
            result.problems.append(problem(file.path, error))
            continue
        result.checked[file.shown] = file.settings
        if file.named or b"mlx" in data or b"MLX" in data:
            tasks.append(Task(file.path, file.shown, data, file.settings, fixes))
    for outcome in _check_all(tasks, jobs or _processors(), advance):
        result.add(outcome)
    result.sort()
    return result


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


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_all(tasks: Sequence[Task], jobs: int, advance: Advance | None) -> list[Outcome]:
    total = sum(len(task.data) for task in tasks)
    if jobs > 1 and len(tasks) > 1 and total >= POOL_FROM:
        checked: Checked = _check_in_processes(_batches(tasks, total // (jobs * BATCHES_A_WORKER)), jobs)
    else:
        checker = Checker()
        checked = ((len(task.data), [checker.check(task)]) for task in tasks)
    outcomes: list[Outcome] = []
    done = 0
    with closing(checked):
        for size, now in checked:
            outcomes += now
            done += size
            if advance is not None:
                advance(done, total)
    return outcomes


# Worker processes

_DIED = {"what": "the analysis of this file", "error": "its process died"}

Batch = list[Task]
Checked = Generator[tuple[int, list[Outcome]], None, None]  # bytes, and what came of them


def _batches(tasks: Sequence[Task], size: int) -> list[Batch]:
    """Neighbouring tasks together, in batches of at least ``size`` bytes."""
    batches: list[Batch] = [[]]
    filled = 0
    for task in tasks:
        if filled >= size:
            batches.append([])
            filled = 0
        batches[-1].append(task)
        filled += len(task.data)
    return batches


def _check_in_processes(batches: list[Batch], jobs: int) -> Checked:
    """Check batches in worker processes, and those under way when one dies again: each file in its own process."""
    batches = batches[::-1]
    while batches:
        suspects: Batch = []
        yield from _until_a_worker_dies(batches, min(jobs, len(batches)), suspects)
        for task in suspects:
            died: Batch = []
            yield from _until_a_worker_dies([[task]], 1, died)
            for file in died:
                yield len(file.data), [Outcome([_at_row("internal-error", file, 1, _DIED)])]


def _until_a_worker_dies(batches: list[Batch], jobs: int, suspects: Batch) -> Checked:
    """Check batches, taken from the end of the list, until a worker dies: ``suspects`` then were under way."""
    from concurrent.futures import FIRST_COMPLETED, wait
    from concurrent.futures.process import BrokenProcessPool

    running: dict[Future[list[Outcome]], Batch] = {}
    pool = _pool(jobs)
    try:
        while running or (batches and not suspects):
            while batches and not suspects and len(running) < jobs:
                batch = batches.pop()
                running[pool.submit(_check_batch, batch)] = batch
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                batch = running.pop(future)
                try:
                    yield sum(len(task.data) for task in batch), future.result()
                except BrokenProcessPool:
                    suspects += batch
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor

    import mlxlint.engine

    method = None
    if sys.platform == "linux":
        method = "fork"  # a forked worker has everything imported already
        registry.rules()
    assert mlxlint.engine
    return ProcessPoolExecutor(jobs, multiprocessing.get_context(method), _begin_worker)


_checker: Checker


def _begin_worker() -> None:
    global _checker
    _checker = Checker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _check_batch(batch: Batch) -> list[Outcome]:
    return [_checker.check(task) for task in batch]
