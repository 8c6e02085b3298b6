"""One session with a client: what it has open is checked as it changes, the newest version first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import from_fs_path, to_fs_path

from mlxlint import __version__
from mlxlint.checker import Task, finding_at_row
from mlxlint.server import actions, diagnostics, hover
from mlxlint.server.documents import Checked, Document, Documents
from mlxlint.server.linter import Linter, as_file
from mlxlint.server.settings import SETTLING, ClientSettings, Folders, parse

DEBOUNCE = 0.03  # seconds of quiet after a change before it is checked
_DIED = {"what": "the analysis of this file", "error": "its process died"}


class Server(LanguageServer):
    """The state of a session. Handlers of notifications only note what is the case; checks run as tasks."""

    def __init__(self) -> None:
        super().__init__("mlxlint", __version__)
        self.documents = Documents()
        self.folders = Folders()
        self.linter = Linter()
        self.generation = 0  # of everything that findings follow from beside a document's text
        self._soon: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[str, tuple[tuple[int, int], asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reported: set[str] = set()  # config files with a diagnostic

    @property
    def encoding(self) -> str:
        return self.documents.encoding

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside all else; kept from being collected until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What the client can do

    @property
    def pulls(self) -> bool:
        """Whether the client asks for diagnostics itself."""
        return (text := self.client_capabilities.text_document) is not None and text.diagnostic is not None

    # Settings

    def configure(self, value: object, path: str | None = None) -> None:
        """Take the settings for a folder, or (no ``path``) for what is in none."""
        client, problems = parse(value)
        if path is None:
            self.folders.set_default(client)
        else:
            self.folders.add(path, client)
        for problem in problems:
            message = f"mlxlint: {problem}"
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    async def ask_for_settings(self) -> None:
        """Ask for the settings of each folder, where the client can be asked, and check all anew."""
        workspace = self.client_capabilities.workspace
        if workspace is not None and workspace.configuration:
            paths: list[str | None] = [None, *(folder.path for folder in self.folders)]
            items = [types.ConfigurationItem(path and from_fs_path(path), "mlxlint") for path in paths]
            answers = await self.workspace_configuration_async(types.ConfigurationParams(items))
            for path, answer in zip(paths, answers):
                self.configure(answer, path)
        self.check_all()

    # Checking

    def state(self, document: Document) -> tuple[int, int]:
        return document.changes, self.generation

    def check_all(self) -> None:
        """Something beside the texts has changed: what is known of them no longer holds."""
        self.generation += 1
        for document in self.documents:
            self.check_soon(document)
        workspace = self.client_capabilities.workspace
        if self.pulls and workspace is not None and workspace.diagnostics is not None:
            if workspace.diagnostics.refresh_support:
                self.workspace_diagnostic_refresh(None)

    def check_soon(self, document: Document, delay: float = 0) -> None:
        """Check a document and publish what is found, unless it changes before."""
        self.forget(document)
        self._soon[document.uri] = asyncio.get_running_loop().call_later(
            delay, lambda: self.spawn(self._publish(document))
        )

    def forget(self, document: Document) -> None:
        if (timer := self._soon.pop(document.uri, None)) is not None:
            timer.cancel()

    async def _publish(self, document: Document) -> None:
        checked = await self.check(document)
        if not self.pulls and self.documents.get(document.uri) is document:
            found = diagnostics.diagnostics(document, checked, self.encoding)
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(document.uri, found, document.version)
            )

    async def check(self, document: Document) -> Checked:
        """What is in a document as it is when this returns. Checks of older versions are given up."""
        while document.checked is None or document.checked.state != self.state(document):
            state, task = self._running.get(document.uri, (None, None))
            if task is None or state != self.state(document):
                if task is not None:
                    task.cancel()
                task = self.spawn(self._check(document))
                self._running[document.uri] = self.state(document), task
            await asyncio.wait([task])
        return document.checked

    async def _check(self, document: Document) -> None:
        state, source = self.state(document), document.source
        task = self.task(document)
        findings = []
        if task is not None:
            try:
                [outcome] = await self.linter.check([task])
                findings = outcome.findings
            except BrokenProcessPool:
                findings = [finding_at_row("internal-error", task, 1, _DIED)]
        document.checked = Checked(state, source, findings)
        if self._running.get(document.uri, (None,))[0] == state:
            del self._running[document.uri]

    def task(self, document: Document) -> Task | None:
        """What is to be checked of a document; None when the settings leave it out."""
        folder = self.folders.of(document.path)
        settings = folder.settings(document.path)
        self._report_settings()
        if not folder.client.enable or (document.path and settings.excludes(document.path)):
            return None
        return Task(document.path, document.source.path, as_file(document.source.text), settings)

    def _report_settings(self) -> None:
        problems = {problem.path: [diagnostics.of_problem(problem)] for problem in self.folders.problems}
        for path in {*problems, *self._reported}:
            uri = from_fs_path(path)
            if uri is not None:
                self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, problems.get(path, [])))
        self._reported = set(problems)


def serve() -> None:
    """Serve a client on stdin and stdout until it says goodbye or is gone."""
    server = create()
    server.linter.start()
    try:
        server.start_io()
    finally:
        server.linter.close()


def create() -> Server:
    server = Server()
    _lifecycle(server)
    _documents(server)
    actions.register(server)
    hover.register(server)
    return server


def _lifecycle(server: Server) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.documents.encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
        given = params.initialization_options
        given = given.get("settings", given) if isinstance(given, dict) else {}
        server.configure(given)
        for folder in server.workspace.folders.values():
            if path := to_fs_path(folder.uri):
                server.configure(given, path)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await _watch(server)
        await server.ask_for_settings()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def settings_changed(params: types.DidChangeConfigurationParams) -> None:
        if isinstance(params.settings, dict) and params.settings:
            given = params.settings.get("mlxlint", params.settings)
            for path in (None, *(folder.path for folder in server.folders)):
                server.configure(given, path)
        await server.ask_for_settings()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        for folder in params.event.removed:
            server.folders.remove(to_fs_path(folder.uri) or "")
        for folder in params.event.added:
            if path := to_fs_path(folder.uri):
                server.folders.add(path, ClientSettings())
        await server.ask_for_settings()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        server.check_all()


async def _watch(server: Server) -> None:
    """Ask to be told of changes on disk that findings in open files may follow from."""
    workspace = server.client_capabilities.workspace
    watching = workspace and workspace.did_change_watched_files
    if not watching or not watching.dynamic_registration:
        return
    globs = [f"**/{name}" for name in (*SETTLING, "*.py")]
    options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(glob) for glob in globs])
    method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    await server.client_register_capability_async(
        types.RegistrationParams([types.Registration("watched-files", method, options)])
    )


def _documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        if (document := server.documents.open(params.text_document)) is not None:
            server.check_soon(document)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        if (document := server.documents.change(params)) is not None:
            if server.folders.of(document.path).client.run == "onType":
                server.check_soon(document, DEBOUNCE)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        server.check_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        if (document := server.documents.close(params.text_document.uri)) is not None:
            server.forget(document)
            server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(document.uri, []))

    @server.feature(
        types.TEXT_DOCUMENT_DIAGNOSTIC,
        types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=False, identifier="mlxlint"),
    )
    async def pulled(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return types.RelatedFullDocumentDiagnosticReport([])
        checked = await server.check(document)
        result = f"{checked.state[0]}.{checked.state[1]}"
        if params.previous_result_id == result:
            return types.RelatedUnchangedDocumentDiagnosticReport(result)
        found = diagnostics.diagnostics(document, checked, server.encoding)
        return types.RelatedFullDocumentDiagnosticReport(found, result)
