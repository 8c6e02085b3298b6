"""Where texts are checked: in this process, in worker processes, or on a cluster; in batches of equal cost.

A worker that dies takes along what it was at, and nothing else: each text of its batch is then checked alone, and one
whose worker dies again is a finding.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from mlxlint import registry
from mlxlint.checker import Checker, Outcome, Task, finding_at_row, uncollected
from mlxlint.run import ExecutorError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

POOL_FROM = 200_000  # bytes of Python below which starting worker processes costs more than it saves
BATCHES_A_WORKER = 8

Batch = list[Task]
Checked = Generator[tuple[Task, Outcome], None, None]

_DIED = {"what": "the analysis of this file", "error": "its process died"}


class Workers(Protocol):
    """Processes that check batches; ``death`` is what the future of a batch raises when its worker died."""

    @property
    def jobs(self) -> int: ...

    @property
    def death(self) -> type[Exception]: ...

    def executor(self, jobs: int) -> AbstractContextManager[Executor]: ...


def check_all(
    tasks: Sequence[Task], jobs: int, address: str | None = None, checker: type[Checker] = Checker
) -> Checked:
    """Check texts on the cluster at an address, or in ``jobs`` processes; a small run in this process.

    Raises:
        ExecutorError: when the cluster cannot be used.
    """
    if address is not None:
        from mlxlint.cluster import connected

        with connected(address) as cluster:
            yield from _in_batches(tasks, cluster, checker)
    elif jobs > 1 and len(tasks) > 1 and sum(len(task.data) for task in tasks) >= POOL_FROM:
        yield from _in_batches(tasks, Processes(jobs), checker)
    else:
        yield from _here(tasks, checker())


def _here(tasks: Sequence[Task], checker: Checker) -> Checked:
    with uncollected():
        for task in tasks:
            yield task, checker.check(task)
            checker.forget()


# Batches


def _in_batches(tasks: Sequence[Task], workers: Workers, checker: type[Checker]) -> Checked:
    """Check batches, and the texts under way where a worker dies again: each alone."""
    run = os.urandom(16).hex()
    batches = _batches(tasks, sum(len(task.data) for task in tasks) // (workers.jobs * BATCHES_A_WORKER))[::-1]
    while batches:
        suspects: Batch = []
        yield from _until_a_worker_dies(batches, workers, run, checker, suspects)
        for task in suspects:
            died: Batch = []
            yield from _until_a_worker_dies([[task]], workers, run, checker, died)
            for dead in died:
                yield dead, Outcome([finding_at_row("internal-error", dead, 1, _DIED)])


def _batches(tasks: Sequence[Task], size: int) -> list[Batch]:
    """Neighbouring tasks together, in batches of at least ``size`` bytes."""
    batches: list[Batch] = [[]]
    filled = 0
    for task in tasks:
        if filled >= size and batches[-1]:
            batches.append([])
            filled = 0
        batches[-1].append(task)
        filled += len(task.data)
    return batches


def _until_a_worker_dies(
    batches: list[Batch], workers: Workers, run: str, checker: type[Checker], suspects: Batch
) -> Checked:
    """Check batches, taken from the end of the list, until a worker dies: ``suspects`` then were under way."""
    from concurrent.futures import FIRST_COMPLETED, wait

    jobs = min(workers.jobs, len(batches))
    running: dict[Future[list[Outcome]], Batch] = {}
    with workers.executor(jobs) as executor:
        while running or (batches and not suspects):
            while batches and not suspects and len(running) < jobs:
                batch = batches.pop()
                running[executor.submit(check_batch, batch, run, registry.digest(), checker)] = batch
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                batch = running.pop(future)
                try:
                    outcomes = future.result()
                except workers.death:
                    suspects += batch
                else:
                    yield from zip(batch, outcomes)


_checkers: dict[str, Checker] = {}  # by run; a worker of a cluster outlives it
_checking = threading.Lock()


def check_batch(batch: Batch, run: str, digest: str, checker: type[Checker] = Checker) -> list[Outcome]:
    """What a worker does. Texts of one run share what is learnt of the project's other modules.

    Raises:
        ExecutorError: when this worker would find other things than the process that asks.
    """
    if registry.digest() != digest:
        raise ExecutorError("a worker has another mlxlint, LibCST or Python than this process, or other rule packs")
    with _checking, uncollected():
        if run not in _checkers:
            _checkers.clear()
            _checkers[run] = checker()
        outcomes = []
        for task in batch:
            outcomes.append(_checkers[run].check(task))
            _checkers[run].forget()
        return outcomes


# Processes


class Processes:
    """Worker processes on this machine, gone with the block that needs them."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    @property
    def death(self) -> type[Exception]:
        from concurrent.futures.process import BrokenProcessPool

        return BrokenProcessPool

    @contextmanager
    def executor(self, jobs: int) -> Iterator[Executor]:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        method = None
        if sys.platform == "linux":
            method = "fork"  # a forked worker has everything imported already
            import mlxlint.engine

            assert mlxlint.engine
            list(registry.rules().values())
        pool = ProcessPoolExecutor(jobs, multiprocessing.get_context(method), _begin)
        try:
            yield pool
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
