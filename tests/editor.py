"""A client of the language server for its tests: keeps texts as an editor does, and what the server says of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import ClientServerConfig, LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

SERVER = [sys.executable, "-m", "mlxlint", "server"]
PATIENCE = 60.0  # seconds for an answer, on a machine that has other things to do

CAPABILITIES = types.ClientCapabilities(
    workspace=types.WorkspaceClientCapabilities(
        apply_edit=True,
        configuration=True,
        did_change_configuration=types.DidChangeConfigurationClientCapabilities(dynamic_registration=True),
        did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
        workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
        workspace_folders=True,
    ),
    text_document=types.TextDocumentClientCapabilities(
        code_action=types.CodeActionClientCapabilities(
            code_action_literal_support=types.ClientCodeActionLiteralOptions(
                types.ClientCodeActionKindOptions([types.CodeActionKind.QuickFix, types.CodeActionKind.Source])
            ),
            data_support=True,
            is_preferred_support=True,
            resolve_support=types.ClientCodeActionResolveOptions(["edit"]),
        ),
        publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
            code_description_support=True,
            data_support=True,
            related_information=True,
            tag_support=types.ClientDiagnosticsTagOptions([types.DiagnosticTag.Deprecated]),
            version_support=True,
        ),
    ),
    window=types.WindowClientCapabilities(
        work_done_progress=True, show_document=types.ShowDocumentClientCapabilities(support=True)
    ),
    notebook_document=types.NotebookDocumentClientCapabilities(types.NotebookDocumentSyncClientCapabilities()),
)


class Editor(LanguageClient):
    """Texts by URI, as edits leave them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder = Path()
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.published: dict[str, types.PublishDiagnosticsParams] = {}
        self.registered: list[types.Registration] = []
        self.news = asyncio.Event()

    async def begin(self, folder: Path, *others: Path, options: object = None, **changes: Any) -> Any:
        """Start a session with some folders open."""
        self.folder = folder
        folders = [types.WorkspaceFolder(path.as_uri(), path.name) for path in (folder, *others)]
        capabilities = changes.pop("capabilities", CAPABILITIES)
        params = types.InitializeParams(capabilities, workspace_folders=folders, initialization_options=options)
        return await self.initialize_session(params)

    async def until(self, done: Any) -> Any:
        """Wait until something is true of what the server said, and give it."""

        async def wait() -> Any:
            while not (found := done()):
                self.news.clear()
                await self.news.wait()
            return found

        return await asyncio.wait_for(wait(), PATIENCE)

    # Files

    def open(self, name: str, text: str, language: str = "python") -> str:
        """Open a file by its name in the folder, or by its URI."""
        uri = name if ":" in name else (self.folder / name).as_uri()
        self.texts[uri], self.versions[uri] = text, 1
        item = types.TextDocumentItem(uri, language, 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def write(self, uri: str, text: str) -> None:
        """Change a file as a whole."""
        self.texts[uri] = text
        self.versions[uri] += 1
        identifier = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def save(self, uri: str) -> None:
        self.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def close(self, uri: str) -> None:
        self.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri)))

    def disk_changed(self, *paths: Path) -> None:
        changes = [types.FileEvent(path.as_uri(), types.FileChangeType.Changed) for path in paths]
        self.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams(changes))

    async def found(self, uri: str, version: int | None = None) -> Sequence[types.Diagnostic]:
        """What is published about a version, by default the newest."""
        wanted = version or self.versions[uri]
        await self.until(lambda: uri in self.published and self.published[uri].version == wanted)
        return self.published[uri].diagnostics

    async def codes(self, uri: str, version: int | None = None) -> list[object]:
        return [diagnostic.code for diagnostic in await self.found(uri, version)]

    async def until_codes(self, uri: str, *codes: str) -> None:
        """Wait until these are what is published."""
        await self.until(
            lambda: uri in self.published and [d.code for d in self.published[uri].diagnostics] == list(codes)
        )

    # Actions

    async def actions(self, uri: str, range: types.Range, *only: str) -> list[types.CodeAction]:
        context = types.CodeActionContext([], list(only) or None)
        params = types.CodeActionParams(types.TextDocumentIdentifier(uri), range, context)
        return [a for a in await self.text_document_code_action_async(params) or [] if isinstance(a, types.CodeAction)]

    async def action(self, uri: str, title: str, index: int = 0) -> types.CodeAction:
        """The action with a title that begins so, for a diagnostic."""
        range = (await self.found(uri))[index].range
        return next(action for action in await self.actions(uri, range) if action.title.startswith(title))

    async def execute(self, command: types.Command | None) -> Any:
        assert command is not None
        params = types.ExecuteCommandParams(command.command, command.arguments)
        return await asyncio.wait_for(self.workspace_execute_command_async(params), PATIENCE)

    async def hover(self, uri: str, line: int, character: int) -> str | None:
        params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(line, character))
        hover = await self.text_document_hover_async(params)
        if hover is None:
            return None
        assert isinstance(hover.contents, types.MarkupContent)
        return hover.contents.value

    def apply(self, edit: types.WorkspaceEdit | None) -> None:
        """Change the texts as an edit says."""
        assert edit is not None
        for change in edit.document_changes or ():
            assert isinstance(change, types.TextDocumentEdit)
            uri = change.text_document.uri
            assert change.text_document.version == self.versions[uri]
            self.texts[uri] = edited(self.texts[uri], [e for e in change.edits if isinstance(e, types.TextEdit)])
        for uri, edits in (edit.changes or {}).items():
            self.texts[uri] = edited(self.texts[uri], edits)


def edited(text: str, edits: Sequence[types.TextEdit], encoding: str = "utf-16") -> str:
    """A text after edits, worked out on the code units that a client counts."""
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        start, end = (unit_offset(text, at, encoding) for at in (edit.range.start, edit.range.end))
        units = text.encode(CODECS[encoding])
        text = (units[:start] + edit.new_text.encode(CODECS[encoding]) + units[end:]).decode(CODECS[encoding])
    return text


CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}


def unit_offset(text: str, at: types.Position, encoding: str) -> int:
    """The byte, in the encoding, of a position."""
    lines = text.replace("\r\n", "\n\0").replace("\r", "\n").split("\n")
    before = lines[: at.line]
    skipped = sum(len(line.replace("\0", "").encode(CODECS[encoding])) + WIDTHS[encoding] for line in before)
    skipped += WIDTHS[encoding] * sum("\0" in line for line in lines[: at.line + 1])
    return skipped + at.character * WIDTHS[encoding]


def place(text: str, part: str) -> types.Range:
    """Where a part of an ASCII text is."""
    before = text[: text.index(part)]
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    return types.Range(types.Position(row, column), types.Position(row, column + len(part)))


def _converter() -> Any:
    """With actions told from commands by what they hold."""
    converter = default_converter()
    converter.register_structure_hook(
        Union[types.Command, types.CodeAction],  # noqa: UP007 - as LSP's types have it
        lambda given, _: converter.structure(
            given, types.Command if isinstance(given.get("command"), str) else types.CodeAction
        ),
    )
    return converter


def make_editor() -> Editor:
    editor = Editor(converter_factory=_converter)
    features = dict(DEFAULT_CLIENT_FEATURES)

    def published(editor: Editor, params: types.PublishDiagnosticsParams) -> None:
        editor.published[params.uri] = params
        editor.news.set()

    def registered(editor: Editor, params: types.RegistrationParams) -> None:
        editor.registered += params.registrations

    def applied(editor: Editor, params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        editor.apply(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    def shown(editor: Editor, params: types.ShowMessageParams) -> None:
        editor.messages.append(params)
        editor.news.set()

    features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = published
    features[types.CLIENT_REGISTER_CAPABILITY] = registered
    features[types.WORKSPACE_APPLY_EDIT] = applied
    features[types.WINDOW_SHOW_MESSAGE] = shown
    register_lsp_features(editor, features)
    return editor


CONFIG = ClientServerConfig(server_command=SERVER, client_factory=make_editor)
