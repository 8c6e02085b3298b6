"""A run over all files of the workspace, with its progress, in between what is asked for files that are open."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from lsprotocol import types
from pygls.uris import from_fs_path

from mlxlint.checker import Outcome, Task, finding_at_row
from mlxlint.config import ConfigError
from mlxlint.contents import mentions_mlx, read
from mlxlint.files import File, collect
from mlxlint.notebook import SUFFIX
from mlxlint.rule import Finding
from mlxlint.server import diagnostics
from mlxlint.server.session import DIED, Server
from mlxlint.server.settings import Folder
from mlxlint.server.snapshot import Checked, Part, Snapshot, Text
from mlxlint.source import Source, UnreadableText

CHECK = "mlxlint.checkWorkspace"
BATCH = 60_000  # bytes checked at a time: what an open file may have to wait for


def register(server: Server) -> None:
    @server.command(CHECK)
    async def check_workspace() -> dict[str, int] | None:
        return await check(server)

    @server.feature(types.WORKSPACE_DIAGNOSTIC)
    async def pulled(params: types.WorkspaceDiagnosticParams) -> types.WorkspaceDiagnosticReport:
        _tell_from_now_on(server)
        known = {previous.uri: previous.value for previous in params.previous_result_ids}
        if params.partial_result_token is not None:  # a client that has time: it asks again and again
            return await server.unopened.news(known)
        await check(server)
        return server.unopened.report(known)


def _tell_from_now_on(server: Server) -> None:
    """Leave to the client to ask for what was published before."""
    if not server.unopened.asked:
        server.unopened.asked = True
        for uri in server.unopened:
            server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))


def check_where_wanted(server: Server, shown: bool = False) -> None:
    """Check the workspace anew, where the client wants that, in place of a check that is under way."""
    if server.surveying is not None:
        server.surveying.cancel()
    if any(folder.client.diagnostic_mode == "workspace" for folder in server.folders):
        server.surveying = server.spawn(check(server, shown))


async def check(server: Server, shown: bool = True) -> dict[str, int] | None:
    """Check all files that are not open and tell what is found. Returns the numbers; None when it was cancelled."""
    token = await _begin(server) if shown else None
    tasks = await asyncio.to_thread(_tasks, server)
    total, done, found = sum(len(task.data) for task in tasks), 0, 0
    try:
        for batch in _batches(tasks):
            if token is not None and server.work_done_progress.tokens[token].cancelled():
                return None
            for task, outcome in zip(batch, await _check(server, batch)):
                findings = server.unrecorded(task, outcome.findings)
                found += len(findings)
                _tell(server, task, findings)
                done += len(task.data)
            if token is not None:
                report = types.WorkDoneProgressReport(percentage=100 * done // max(total, 1))
                server.work_done_progress.report(token, report)
    finally:
        if token is not None:
            server.work_done_progress.end(token, types.WorkDoneProgressEnd(message=f"{found} found"))
    _forget_all_but(server, tasks)
    return {"files": len(tasks), "findings": found}


async def _begin(server: Server) -> str | None:
    window = server.client_capabilities.window
    if window is None or not window.work_done_progress:
        return None
    token = str(uuid.uuid4())
    await server.work_done_progress.create_async(token)
    begin = types.WorkDoneProgressBegin("mlxlint: checking the workspace", cancellable=True, percentage=0)
    server.work_done_progress.begin(token, begin)
    return token


def _tasks(server: Server) -> list[Task]:
    """The files of all folders that can have to do with MLX; those in several folders once.

    Notebooks are left out: what their cells are called only the client knows, and that when they are open.
    """
    tasks: dict[str, Task] = {}
    for folder in server.folders:
        for file in _files(folder):
            try:
                data = read(file.path)
            except OSError:
                continue
            if mentions_mlx(data):
                tasks[file.path] = Task(file.path, file.path, data, file.settings, asks_facts=True)
    return list(tasks.values())


def _files(folder: Folder) -> list[File]:
    if folder.path is None or not folder.client.enable:
        return []
    try:
        found = collect([folder.path], folder.configuration()).files
    except ConfigError:
        return []
    return [file for file in found if not file.path.endswith(SUFFIX)]


def _batches(tasks: list[Task]) -> Iterator[list[Task]]:
    batch: list[Task] = []
    size = 0
    for task in tasks:
        if batch and size + len(task.data) > BATCH:
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += len(task.data)
    if batch:
        yield batch


async def _check(server: Server, batch: list[Task]) -> list[Outcome]:
    try:
        return await server.linter.check_saved(batch)
    except BrokenProcessPool:
        if len(batch) == 1:
            return [Outcome([finding_at_row("internal-error", batch[0], 1, DIED)])]
        return [outcome for task in batch for outcome in await _check(server, [task])]


def _tell(server: Server, task: Task, findings: Sequence[Finding]) -> None:
    uri = from_fs_path(task.shown)
    if uri is None or server.documents.get(uri) is not None:
        return
    try:
        source = Source.decode(task.shown, task.data)
    except UnreadableText:
        source = Source(task.shown, task.data.decode("latin-1"))
    part = Part(Text(uri, 0, source), 0, 0, len(source.text))
    checked = Checked((0, 0), Snapshot(source, [part], server.encoding), findings)
    _put(server, uri, diagnostics.by_text(checked)[uri])


def _forget_all_but(server: Server, tasks: list[Task]) -> None:
    """Take away what was found in files that are no longer there, or are left out by now."""
    there = {from_fs_path(task.shown) for task in tasks}
    for uri in server.unopened:
        if uri not in there and server.documents.get(uri) is None:
            _put(server, uri, [])


def _put(server: Server, uri: str, found: list[types.Diagnostic]) -> None:
    server.unopened.put(uri, found)
    if not server.unopened.asked:
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found))
