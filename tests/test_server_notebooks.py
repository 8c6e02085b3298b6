"""Notebooks in an editor: a text for each cell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_lsp
from editor import CONFIG, Editor
from lsprotocol import types

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = "%pip install mlx\nimport mlx.core as mx\nx = mx.zeros(12)"
CODE, MARKUP = types.NotebookCellKind.Code, types.NotebookCellKind.Markup


@pytest_lsp.fixture(config=CONFIG, scope="module")
async def editor(lsp_client: Editor, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    result = await lsp_client.begin(tmp_path_factory.mktemp("project"))
    assert result.capabilities.notebook_document_sync.notebook_selector
    yield
    await lsp_client.shutdown_session()


class Notebook:
    """A notebook that is open; its cells are named."""

    def __init__(self, editor: Editor, name: str, **cells: str) -> None:
        self.editor = editor
        self.uri = (editor.folder / f"{name}.ipynb").as_uri()
        self.version = 1
        document = types.NotebookDocument(self.uri, "jupyter-notebook", 1, [self.cell(cell) for cell in cells])
        items = [self.item(cell, text) for cell, text in cells.items()]
        editor.notebook_document_did_open(types.DidOpenNotebookDocumentParams(document, items))

    def uri_of(self, cell: str) -> str:
        return f"{self.uri.replace('file:', 'vscode-notebook-cell:')}#{cell}"

    def cell(self, name: str) -> types.NotebookCell:
        return types.NotebookCell(MARKUP if name.startswith("text") else CODE, self.uri_of(name))

    def item(self, name: str, text: str) -> types.TextDocumentItem:
        uri = self.uri_of(name)
        self.editor.texts[uri], self.editor.versions[uri] = text, 1
        language = "markdown" if name.startswith("text") else "shellscript" if name.startswith("shell") else "python"
        return types.TextDocumentItem(uri, language, 1, text)

    def change(self, **changes: object) -> None:
        self.version += 1
        cells = types.NotebookDocumentCellChanges(**changes)  # type: ignore[arg-type]
        identifier = types.VersionedNotebookDocumentIdentifier(self.version, self.uri)
        change = types.NotebookDocumentChangeEvent(cells=cells)
        self.editor.notebook_document_did_change(types.DidChangeNotebookDocumentParams(identifier, change))

    def write(self, cell: str, text: str) -> None:
        uri = self.uri_of(cell)
        self.editor.texts[uri] = text
        self.editor.versions[uri] += 1
        identifier = types.VersionedTextDocumentIdentifier(self.editor.versions[uri], uri)
        content = types.NotebookDocumentCellContentChanges(
            identifier, [types.TextDocumentContentChangeWholeDocument(text)]
        )
        self.change(text_content=[content])

    def restructure(self, start: int, removed: Sequence[str], **inserted: str) -> None:
        array = types.NotebookCellArrayChange(start, len(removed), [self.cell(name) for name in inserted])
        opened = [self.item(name, text) for name, text in inserted.items() if text]
        closed = [types.TextDocumentIdentifier(self.uri_of(name)) for name in removed if name not in inserted]
        self.change(structure=types.NotebookDocumentCellChangeStructure(array, opened, closed))

    async def codes(self, cell: str, *codes: str) -> None:
        await self.editor.until_codes(self.uri_of(cell), *codes)


async def test_cells_are_read_as_one(editor: Editor) -> None:
    notebook = Notebook(editor, "one", head=HEAD, text="x[x > 0", shell="ls (", use="files = !ls\n\nkept = x[x > 0]")
    await notebook.codes("use", "MLX101")
    [diagnostic] = editor.published[notebook.uri_of("use")].diagnostics
    assert (diagnostic.range.start, diagnostic.range.end) == (types.Position(2, 7), types.Position(2, 15))
    [array, mask] = diagnostic.related_information or []
    assert (array.location.uri, array.location.range.start.line) == (notebook.uri_of("head"), 2)
    assert mask.location.uri == notebook.uri_of("use")
    assert editor.published[notebook.uri_of("head")].diagnostics == ()


async def test_what_changes_in_one_cell_counts_in_the_next(editor: Editor) -> None:
    notebook = Notebook(editor, "changed", head=HEAD, use="x[x > 0]")
    await notebook.codes("use", "MLX101")
    notebook.write("head", HEAD.replace("mx.zeros(12)", "[1]"))
    await notebook.codes("use")
    notebook.write("use", "(")
    await notebook.codes("use", "MLX001")
    notebook.write("head", HEAD + "\nx.view(12)")
    await notebook.codes("head", "MLX405")
    await notebook.codes("use", "MLX001")


async def test_cells_are_added_removed_and_moved(editor: Editor) -> None:
    notebook = Notebook(editor, "moved", head=HEAD, use="x[x > 0]")
    await notebook.codes("use", "MLX101")
    notebook.restructure(1, [], between="x = [1]", text="prose (")
    await notebook.codes("use")
    notebook.restructure(1, ["between", "text"])
    await notebook.codes("use", "MLX101")
    notebook.restructure(0, ["head", "use"], use="", head="")
    await notebook.codes("use")
    notebook.restructure(0, ["use"])
    await editor.until(lambda: not editor.published[notebook.uri_of("use")].diagnostics)


async def test_fixes_are_made_in_their_cells(editor: Editor) -> None:
    notebook = Notebook(editor, "fixed", head=HEAD, text="é", use="%%time\ny = x.view(12)", more="z = x.view(3, 4)")
    uri = notebook.uri_of("use")
    editor.apply((await editor.action(uri, "Replace `view`")).edit)
    assert editor.texts[uri] == "%%time\ny = x.reshape(12)"
    editor.texts[uri] = "%%time\ny = x.view(12)"
    [action] = await editor.actions(uri, types.Range(types.Position(0, 0), types.Position(0, 0)), "source.fixAll")
    editor.apply(action.edit)
    assert editor.texts[uri] == "%%time\ny = x.reshape(12)"
    assert editor.texts[notebook.uri_of("more")] == "z = x.reshape(3, 4)"
    assert editor.texts[notebook.uri_of("head")] == HEAD
    kinds = {a.kind for a in await editor.actions(uri, action_range(), "notebook.source.fixAll")}
    assert kinds == {"notebook.source.fixAll.mlxlint"}


def action_range() -> types.Range:
    return types.Range(types.Position(0, 0), types.Position(0, 0))


async def test_an_import_is_added_in_the_first_cell(editor: Editor) -> None:
    notebook = Notebook(editor, "imports", head=HEAD, use="kept = x[x > 0]")
    editor.apply((await editor.action(notebook.uri_of("use"), "Read the positions")).edit)
    assert editor.texts[notebook.uri_of("head")] == HEAD.replace("as mx\n", "as mx\nimport numpy as np\n")
    assert "np." in editor.texts[notebook.uri_of("use")]


async def test_findings_in_cells_are_ignored_explained_and_hovered_over(editor: Editor) -> None:
    notebook = Notebook(editor, "ignored", head=HEAD, use="y = 1\nkept = x[x > 0]")
    uri = notebook.uri_of("use")
    assert "boolean mask" in (await editor.hover(uri, 1, 9) or "")
    assert await editor.hover(uri, 0, 1) is None
    whole = await editor.action(uri, "Ignore boolean-mask-read in this notebook")
    editor.apply((await editor.action(uri, "Ignore boolean-mask-read on this line")).edit)
    assert editor.texts[uri] == "y = 1\nkept = x[x > 0]  # mlxlint: ignore[boolean-mask-read]"
    notebook.write("use", editor.texts[uri])
    await notebook.codes("use")
    editor.apply(whole.edit)
    assert editor.texts[notebook.uri_of("head")].startswith("# mlxlint: file-ignore[boolean-mask-read]\n%pip")


async def test_a_closed_notebook_takes_its_diagnostics_away(editor: Editor) -> None:
    notebook = Notebook(editor, "closed", head=HEAD, use="kept = x[x > 0]")
    await notebook.codes("use", "MLX101")
    cells = [types.TextDocumentIdentifier(notebook.uri_of(cell)) for cell in ("head", "use")]
    identifier = types.NotebookDocumentIdentifier(notebook.uri)
    editor.notebook_document_did_save(types.DidSaveNotebookDocumentParams(identifier))
    editor.notebook_document_did_close(types.DidCloseNotebookDocumentParams(identifier, cells))
    await notebook.codes("use")


async def test_a_notebook_without_code(editor: Editor) -> None:
    notebook = Notebook(editor, "empty", text="(")
    other = Notebook(editor, "after", head=HEAD + "\nx.view(12)")
    await other.codes("head", "MLX405")
    assert notebook.uri_of("text") not in editor.published
