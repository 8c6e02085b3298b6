"""Linting in a process of its own, so that neither a long analysis nor a crash is felt while typing."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from mlxlint.checker import Checker, Outcome, Task, uncollected
from mlxlint.model.finder import digest
from mlxlint.server.disk import Disk
from mlxlint.server.syntaxes import Syntaxes

if TYPE_CHECKING:
    from mlxlint.cache import Memory


class Linter:
    """Checks texts, the one asked for last first."""

    def __init__(self) -> None:
        self._pool = _pool()
        self._waiting: list[asyncio.Future[None]] = []
        self._busy = False

    def start(self) -> None:
        """Start the process before there is work for it."""
        self._pool.submit(os.getpid)

    async def check(self, tasks: list[Task], unsaved: Mapping[str, bytes]) -> list[Outcome]:
        """What is found in some texts, before all that is waiting, with files being what they are ``unsaved``.

        Raises:
            BrokenProcessPool: when the process died over them.
        """
        return await self._run(True, check_texts, tasks, unsaved)

    async def check_saved(self, tasks: list[Task]) -> list[Outcome]:
        """What is found in some files as they are on disk, after all that is waiting.

        Raises:
            BrokenProcessPool: when the process died over them.
        """
        return await self._run(False, check_saved, tasks)

    async def _run(self, soon: bool, work: Callable[..., list[Outcome]], *arguments: object) -> list[Outcome]:
        async with self._turn(soon):
            try:
                future = self._pool.submit(work, *arguments)
            except BrokenProcessPool:  # it died while it had nothing to do
                self._pool = _pool()
                future = self._pool.submit(work, *arguments)
            try:
                outcomes = await asyncio.wrap_future(future)
            except BrokenProcessPool:
                self._pool = _pool()
                raise
            self._pool.submit(gc.collect)  # while nobody waits
            return outcomes

    @asynccontextmanager
    async def _turn(self, soon: bool) -> AsyncIterator[None]:
        while self._busy:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.insert(len(self._waiting) if soon else 0, turn)
            await turn
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
            while self._waiting:
                if not (turn := self._waiting.pop()).done():
                    turn.set_result(None)
                    break

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()


# In the process


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)


def _begin() -> None:
    import mlxlint.engine
    from mlxlint import registry

    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is the client's
    threading.Thread(target=_end_with_parent, daemon=True).start()
    assert mlxlint.engine
    with suppress(registry.BrokenRulePack):  # which every check tells of
        list(registry.rules().values())
    gc.freeze()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_syntaxes, _disk = Syntaxes(), Disk()


def check_texts(tasks: list[Task], unsaved: Mapping[str, bytes]) -> list[Outcome]:
    """Check texts by what is on disk now: of what was checked before, only files and their syntax are remembered."""
    checker = Checker(unsaved, _syntaxes.read, _disk.file)
    with uncollected():
        return [checker.check(task) for task in tasks]


def check_saved(tasks: list[Task]) -> list[Outcome]:
    """Check files, but for those that are in the cache of the command line."""
    from mlxlint.cache import Memory

    checker = Checker()
    with uncollected(), Memory() as memory:
        return [_recalled(memory, task) or _kept(memory, task, checker.check(task)) for task in tasks]


def _recalled(memory: Memory, task: Task) -> Outcome | None:
    if task.path is None:
        return None
    findings = memory.recall(task.path, task.shown, digest(task.data), task.settings)
    return None if findings is None else Outcome(findings)


def _kept(memory: Memory, task: Task, outcome: Outcome) -> Outcome:
    memory.keep(task, outcome)
    return Outcome(outcome.findings)
