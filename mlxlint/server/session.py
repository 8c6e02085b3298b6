"""One session with a client: what it has open is checked as it changes, the newest version first."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.uris import from_fs_path

from mlxlint import __version__
from mlxlint.checker import Task, finding_at_row
from mlxlint.registry import BrokenRulePack
from mlxlint.rule import Finding, Verification
from mlxlint.run import Texts
from mlxlint.server import diagnostics
from mlxlint.server.documents import Document, Documents
from mlxlint.server.linter import Linter
from mlxlint.server.settings import ClientSettings, Folders, parse
from mlxlint.server.snapshot import Checked
from mlxlint.server.unopened import Unopened

DEBOUNCE = 0.01  # seconds of quiet after a change: as changes that belong together follow one another
NOTEBOOKS = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithNotebook(
            notebook="jupyter-notebook", cells=[types.NotebookCellLanguage(language="python")]
        )
    ],
    save=True,
)
DIED = {"what": "the analysis of this file", "error": "its process died"}


class Protocol(LanguageServerProtocol):
    """Without the outcomes of notifications, which pygls keeps for ever though nobody asks for them."""

    def _execute_handler(self, msg_id: Any, handler: Any, callback: Any, *args: Any, **kwargs: Any) -> None:
        def done(future: Any) -> None:
            self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, *args, **kwargs)


class Server(LanguageServer):
    """The state of a session. Handlers of notifications only note what is the case; checks run as tasks."""

    def __init__(self) -> None:
        super().__init__("mlxlint", __version__, protocol_cls=Protocol, notebook_document_sync=NOTEBOOKS)
        self.documents = Documents()
        self.folders = Folders()
        self.linter = Linter()
        self.unopened = Unopened()
        self.surveying: asyncio.Task[Any] | None = None  # the workspace, because the client wants all of it checked
        self.verifications: dict[tuple[str, str], Verification] = {}
        self._generation = 0  # of all that findings follow from beside a document's text
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._running: dict[str, tuple[tuple[int, int], asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._published: dict[str, set[str]] = {}  # of a document, the texts with diagnostics
        self._settings_published: set[str] = set()
        self._told: set[str] = set()

    @property
    def encoding(self) -> str:
        return self.documents.encoding

    @property
    def pulls(self) -> bool:
        """Whether the client asks for diagnostics itself."""
        return (text := self.client_capabilities.text_document) is not None and text.diagnostic is not None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside all else, kept from being collected until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, BrokenRulePack):
            self._tell_once(str(error))
        elif error is not None:
            text = "".join(traceback.format_exception(error))
            self.window_log_message(types.LogMessageParams(types.MessageType.Error, text))

    def _tell_once(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            self.window_show_message(types.ShowMessageParams(types.MessageType.Error, f"mlxlint: {problem}"))

    # Settings

    def configure(self, value: object, path: str | None = None) -> None:
        """Take the settings for a folder, or (no ``path``) for what is in none."""
        client, problems = parse(value)
        if path is None:
            self.folders.set_default(client)
        else:
            self.folders.add(path, client)
        for problem in problems:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, f"mlxlint: {problem}"))

    async def ask_for_settings(self) -> None:
        """Ask for the settings of each folder, where the client can be asked, and check all anew."""
        workspace = self.client_capabilities.workspace
        if workspace is not None and workspace.configuration:
            paths = [None, *(folder.path for folder in self.folders)]
            items = [types.ConfigurationItem(path and from_fs_path(path), "mlxlint") for path in paths]
            answers = await self.workspace_configuration_async(types.ConfigurationParams(items))
            for path, answer in zip(paths, answers):
                if answer is not None:
                    self.configure(answer, path)
        self.check_all()

    def client_settings(self, document: Document) -> ClientSettings:
        return self.folders.of(document.path).client

    # Checking

    def state(self, document: Document) -> tuple[int, int]:
        return document.changes, self._generation

    def check_all(self) -> None:
        """Something beside the texts has changed: what is known of them no longer holds."""
        self._generation += 1
        for document in self.documents:
            self.check_soon(document)
        workspace = self.client_capabilities.workspace
        if self.pulls and workspace is not None and workspace.diagnostics is not None:
            if workspace.diagnostics.refresh_support:
                self.workspace_diagnostic_refresh(None)

    def check_soon(self, document: Document, delay: float = 0) -> None:
        """Check a document and publish what is found, unless it changes before."""
        self._stop_timer(document)
        self._timers[document.uri] = asyncio.get_running_loop().call_later(
            delay, lambda: self.spawn(self._publish(document))
        )

    def _stop_timer(self, document: Document) -> None:
        if (timer := self._timers.pop(document.uri, None)) is not None:
            timer.cancel()

    async def _publish(self, document: Document) -> None:
        """Check a document, and tell a client that does not ask; of cells none does."""
        checked = await self.check(document)
        if (self.pulls and not document.notebook) or self.documents.get(document.uri) is not document:
            return
        found = diagnostics.by_text(checked)
        for uri in self._published.get(document.uri, set()) - found.keys():
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))
        for part in checked.document.parts:
            uri, version = part.text.uri, part.text.version
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found[uri], version))
        self._published[document.uri] = set(found)

    def closed(self, document: Document) -> None:
        self._stop_timer(document)
        if (running := self._running.pop(document.uri, None)) is not None:
            running[1].cancel()
        for uri in self._published.pop(document.uri, ()):
            self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    async def check(self, document: Document) -> Checked:
        """What is in a document as it is when this returns. Checks of older versions are given up."""
        while document.checked is None or document.checked.state != self.state(document):
            state, task = self._running.get(document.uri, (None, None))
            if task is None or task.done() or state != self.state(document):
                if task is not None:
                    task.cancel()
                task = self.spawn(self._check(document))
                self._running[document.uri] = self.state(document), task
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
        return document.checked

    async def _check(self, document: Document) -> None:
        state, snapshot, task = self.state(document), document.snapshot(self.encoding), self.task(document)
        findings: Sequence[Finding] = []
        if task is not None:
            try:
                [outcome] = await self.linter.check([task], self.documents.unsaved())
                findings = self.unrecorded(task, outcome.findings)
            except BrokenProcessPool:
                findings = [finding_at_row("internal-error", task, 1, DIED)]
        document.checked = Checked(state, snapshot, findings)

    def task(self, document: Document) -> Task | None:
        """What is to be checked of a document; None when the settings leave it out."""
        folder = self.folders.of(document.path)
        settings = folder.settings(document.path)
        self._publish_settings()
        if not folder.client.enable or (document.path is not None and settings.excludes(document.path)):
            return None
        return Task(document.path, document.name, document.data(), settings)

    def unrecorded(self, task: Task, findings: Sequence[Finding]) -> Sequence[Finding]:
        """The findings that are not on record in the baseline."""
        baseline = self.folders.of(task.path).baseline(task.settings)
        self._publish_settings()
        return baseline.filter(findings, Texts({task.shown: task.data}).line)[0] if baseline is not None else findings

    def _publish_settings(self) -> None:
        """Tell of config files that cannot be used, and of those that can be used again."""
        found = {problem.path: [diagnostics.of_problem(problem)] for problem in self.folders.problems}
        for path in {*found, *self._settings_published}:
            if (uri := from_fs_path(path)) is not None:
                self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found.get(path, [])))
        self._settings_published = set(found)
