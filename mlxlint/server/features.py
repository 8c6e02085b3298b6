"""What the server answers: the handlers of a session, by kind of message."""

from __future__ import annotations

from lsprotocol import types
from pygls.uris import to_fs_path

from mlxlint.server import actions, diagnostics, hover, workspace
from mlxlint.server.session import DEBOUNCE, Server
from mlxlint.server.settings import SETTLING, section


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
    for register in (_lifecycle, _settings, _files, _notebooks, _pull):
        register(server)
    for module in (actions, hover, workspace):
        module.register(server)
    return server


def _lifecycle(server: Server) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.documents.encoding = server.workspace.position_encoding or types.PositionEncodingKind.Utf16
        given = section(params.initialization_options)
        server.configure(given)
        for folder in server.workspace.folders.values():
            if path := to_fs_path(folder.uri):
                server.configure(given, path)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await _watch(server)
        await server.ask_for_settings()
        workspace.check_where_wanted(server, shown=True)


async def _watch(server: Server) -> None:
    """Ask to be told of changes on disk that findings in open files may follow from, and of changed settings."""
    capabilities = server.client_capabilities.workspace
    watched = capabilities and capabilities.did_change_watched_files
    settings = capabilities and capabilities.did_change_configuration
    wanted = []
    if watched and watched.dynamic_registration:
        watchers = [types.FileSystemWatcher(f"**/{name}") for name in (*SETTLING, "*.toml", "*.py")]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        wanted.append(types.Registration("files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
    if settings and settings.dynamic_registration:
        ours = types.DidChangeConfigurationRegistrationOptions("mlxlint")
        wanted.append(types.Registration("settings", types.WORKSPACE_DID_CHANGE_CONFIGURATION, ours))
    if wanted:
        await server.client_register_capability_async(types.RegistrationParams(wanted))


def _settings(server: Server) -> None:
    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def settings_changed(params: types.DidChangeConfigurationParams) -> None:
        if given := section(params.settings):
            for path in [None, *(folder.path for folder in server.folders)]:
                server.configure(given, path)
        await server.ask_for_settings()
        workspace.check_where_wanted(server)

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    async def folders_changed(params: types.DidChangeWorkspaceFoldersParams) -> None:
        for folder in params.event.removed:
            server.folders.remove(to_fs_path(folder.uri) or "")
        for folder in params.event.added:
            if path := to_fs_path(folder.uri):
                server.folders.add(path, server.folders.outside.client)
        await server.ask_for_settings()
        workspace.check_where_wanted(server)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        server.check_all()
        workspace.check_where_wanted(server)


def _files(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        if (document := server.documents.open(params.text_document)) is not None:
            server.check_soon(document)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        if (document := server.documents.change(params)) is not None:
            if server.client_settings(document).run == "onType":
                server.check_soon(document, DEBOUNCE)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        if (document := server.documents.get(params.text_document.uri)) is not None:
            document.dirty = False
        server.check_all()
        workspace.check_where_wanted(server)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        if (document := server.documents.close(params.text_document.uri)) is not None:
            server.closed(document)
            workspace.check_where_wanted(server)


def _notebooks(server: Server) -> None:
    @server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenNotebookDocumentParams) -> None:
        server.check_soon(server.documents.open_notebook(params))

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeNotebookDocumentParams) -> None:
        if (document := server.documents.change_notebook(params)) is not None:
            if server.client_settings(document).run == "onType":
                server.check_soon(document, DEBOUNCE)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveNotebookDocumentParams) -> None:
        if (document := server.documents.get(params.notebook_document.uri)) is not None:
            document.dirty = False
        server.check_all()
        workspace.check_where_wanted(server)

    @server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseNotebookDocumentParams) -> None:
        if (document := server.documents.close(params.notebook_document.uri)) is not None:
            server.closed(document)
            workspace.check_where_wanted(server)


def _pull(server: Server) -> None:
    options = types.DiagnosticOptions(inter_file_dependencies=True, workspace_diagnostics=True, identifier="mlxlint")

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)
    async def pulled(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        document = server.documents.get(params.text_document.uri)
        if document is None or document.notebook:
            return types.RelatedFullDocumentDiagnosticReport([])
        checked = document.checked
        if checked is None or server.client_settings(document).run == "onType" or not document.dirty:
            checked = await server.check(document)
        result = "{}.{}".format(*checked.state)
        if params.previous_result_id == result:
            return types.RelatedUnchangedDocumentDiagnosticReport(result)
        found = diagnostics.by_text(checked)[document.uri]
        return types.RelatedFullDocumentDiagnosticReport(found, result_id=result)
