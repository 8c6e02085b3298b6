"""The process that lints for the server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from conftest import HAZARD
from lsprotocol import types

from mlxlint.checker import Task
from mlxlint.server.session import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends a process by a signal")


async def codes(server: Server, path: Path) -> list[str]:
    item = types.TextDocumentItem(path.as_uri(), "python", 1, HAZARD)
    document = server.documents.open(item)
    assert document is not None
    return [finding.code for finding in (await server.check(document)).findings]


def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    async def session() -> None:
        server = Server()
        try:
            assert await codes(server, tmp_path / "a.py") == ["MLX101"]
            pid = await asyncio.wrap_future(server.linter._pool.submit(os.getpid))
            os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            assert await codes(server, tmp_path / "b.py") == ["MLX101"]
            pid = await asyncio.wrap_future(server.linter._pool.submit(os.getpid))
            waiting = asyncio.ensure_future(codes(server, tmp_path / "c.py"))
            server.linter._pool.submit(os.kill, pid, signal.SIGKILL)
            assert await waiting in (["MLX101"], ["MLX002"])
            assert await codes(server, tmp_path / "d.py") == ["MLX101"]
        finally:
            server.linter.close()

    asyncio.run(session())


def test_what_is_open_goes_first(tmp_path: Path) -> None:
    async def session() -> None:
        server = Server()
        try:
            settings = server.folders.of(None).settings(None)
            tasks = [Task(None, name, HAZARD.encode(), settings) for name in ("first", "later", "soon", "sooner")]
            order: list[str] = []

            async def check(task: Task, soon: bool) -> None:
                await (server.linter.check([task], {}) if soon else server.linter.check_saved([task]))
                order.append(task.shown)

            await asyncio.gather(*(check(task, task.shown.startswith("soon")) for task in tasks))
            assert order == ["first", "sooner", "soon", "later"]
        finally:
            server.linter.close()

    asyncio.run(session())


def test_what_came_of_notifications_is_let_go() -> None:
    server = Server()
    trace = types.SetTraceParams(types.TraceValue.Off)
    for _ in range(3):
        server.protocol._handle_notification(types.SET_TRACE, trace)
    assert server.protocol._request_futures == {}
