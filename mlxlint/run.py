"""Many files to findings: gate, worker processes, suppressions, severities, order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlxlint import registry, suppress
from mlxlint.config import Settings
from mlxlint.files import File, problem
from mlxlint.rule import Finding
from mlxlint.source import Source, UnreadableText

if TYPE_CHECKING:
    from mlxlint.engine import Analysis

POOL_FROM = 200_000  # bytes of Python below which starting worker processes takes longer than it saves
BATCHES_A_WORKER = 4
STDIN = "-"

Advance = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, eq=False)
class Task:
    """A file with its content, as it travels to a worker."""

    path: str
    shown: str
    data: bytes
    settings: Settings

    @property
    def on_disk(self) -> Path | None:
        return None if self.shown == STDIN else Path(self.path)


@dataclass
class Result:
    """What a run found. ``sources`` are the texts of the files that have findings, by ``Finding.path``."""

    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    checked: dict[str, Settings] = field(default_factory=dict)

    def fails(self, finding: Finding) -> bool:
        """Whether a finding makes the exit code 1: bad enough, and not refuted by the MLX installed."""
        refuted = finding.verification is not None and finding.verification.status == "refuted"
        return not refuted and finding.severity.rank >= self.checked[finding.path].fail_on.rank


def check(files: Sequence[File], *, jobs: int | None = None, advance: Advance | None = None) -> Result:
    """Check files; findings come in order of path and place, whatever the number of processes."""
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
            tasks.append(Task(file.path, file.shown, data, file.settings))
    result.findings = sorted(_check(tasks, jobs or _processors(), advance), key=lambda finding: finding.sort_key)
    return result


def check_text(data: bytes, path: str, settings: Settings, name: str = STDIN) -> Result:
    """Check one text that need not be on disk; ``name`` is how reports name it."""
    task = Task(path, name, data, settings)
    return Result(sorted(check_task(task), key=lambda finding: finding.sort_key), [], {name: settings})


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_task(task: Task) -> list[Finding]:
    """The findings of one file, suppressed ones left out."""
    try:
        source = Source.decode(task.shown, task.data)
    except UnreadableText as error:
        source = Source(task.shown, task.data.decode("latin-1"))
        start = source.line_starts[error.row - 1]
        return [suppress.tool_finding("syntax-error", source, (start, start), reason=str(error))]
    enabled = task.settings.codes_for(task.path)
    found = _analysis(task.settings).lint(source, task.on_disk)
    findings = suppress.apply(source, [finding for finding in found if finding.code in enabled], enabled)
    severity = task.settings.severity
    return [replace(f, severity=severity[f.code]) if f.code in severity else f for f in findings]


@cache
def _analysis(settings: Settings) -> Analysis:
    from mlxlint.engine import Analysis

    return Analysis(
        [rule for code, rule in registry.rules().items() if code in settings.codes],
        min_confidence=settings.min_confidence,
        search=[Path(folder) for folder in settings.src],
        target_mlx=settings.value("target-mlx"),
        target_mlx_lm=settings.value("target-mlx-lm"),
    )


# Worker processes


def _check(tasks: Sequence[Task], jobs: int, advance: Advance | None) -> Iterator[Finding]:
    total = sum(len(task.data) for task in tasks)
    batches = [[task] for task in tasks] if jobs == 1 else _batches(tasks, jobs * BATCHES_A_WORKER)
    jobs = min(jobs, len(batches))
    done = 0
    checked = map(_check_batch, batches) if jobs <= 1 or total < POOL_FROM else _in_processes(batches, jobs)
    for size, findings in checked:
        done += size
        if advance is not None:
            advance(done, total)
        yield from findings


def _batches(tasks: Sequence[Task], count: int) -> list[list[Task]]:
    """Neighbouring tasks together, in batches of about equal bytes."""
    limit = sum(len(task.data) for task in tasks) / count
    batches: list[list[Task]] = []
    size = limit
    for task in tasks:
        if size >= limit:
            batches.append([])
            size = 0
        batches[-1].append(task)
        size += len(task.data)
    return batches


def _check_batch(batch: Sequence[Task]) -> tuple[int, list[Finding]]:
    return sum(len(task.data) for task in batch), [finding for task in batch for finding in check_task(task)]


def _in_processes(batches: Sequence[list[Task]], jobs: int) -> Iterator[tuple[int, list[Finding]]]:
    """Checks batches in worker processes. What a worker dies on is run again, file by file, each by a worker of its own."""
    waiting = list(reversed(batches))
    while waiting:
        suspects: list[list[Task]] = []
        yield from _until_a_worker_dies(waiting, jobs, suspects)
        for task in (task for batch in suspects for task in batch):
            yield _alone(task)


def _until_a_worker_dies(
    waiting: list[list[Task]], jobs: int, suspects: list[list[Task]]
) -> Iterator[tuple[int, list[Finding]]]:
    """Takes batches from the end of ``waiting``; those under way when a worker died end up in ``suspects``."""
    from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    with _no_worker_left_behind(), ProcessPoolExecutor(jobs, _start_method(), _begin_worker) as pool:
        running: dict[Future[tuple[int, list[Finding]]], list[Task]] = {}
        while running or (waiting and not suspects):
            while waiting and not suspects and len(running) < 2 * jobs:
                ...
