"""The documents that clients have open: files, and notebooks with a text for each cell."""

from __future__ import annotations

import io
import json
import os
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from lsprotocol import types
from pygls.uris import to_fs_path

from mlxlint.notebook import SUFFIX, join
from mlxlint.server.snapshot import Checked, Part, Snapshot, Text
from mlxlint.server.text import changed
from mlxlint.source import Source

PYTHON = "python"
PYTHON_FILES = (".py", ".pyi", ".pyw")


@dataclass(eq=False)
class Document:
    """What is linted as one. ``path`` is None when it has no place on disk.

    ``texts`` are the client's, by URI: one, or in a notebook that of each cell, in order; of a cell that is no code
    there is None.
    """

    uri: str
    path: str | None
    version: int
    texts: dict[str, Text | None]
    notebook: bool = False
    metadata: Any = None
    changes: int = 0
    dirty: bool = False  # since it was opened or saved
    checked: Checked | None = None

    @property
    def name(self) -> str:
        """How findings name it; by the suffix a notebook is known."""
        name = self.path or self.uri
        return name + SUFFIX if self.notebook and not name.endswith(SUFFIX) else name

    def change(
        self, uri: str, version: int, changes: list[types.TextDocumentContentChangeEvent], encoding: str
    ) -> None:
        if (text := self.texts.get(uri)) is not None:
            source = text.source
            for change in changes:
                source = changed(source, change, encoding)
            self.texts[uri] = replace(text, version=version, source=source)
        self.changes += 1
        self.dirty = True

    def data(self) -> bytes:
        """The bytes it would be saved as."""
        if not self.notebook:
            [text] = self.texts.values()
            return as_file(text.source.text if text is not None else "")
        cells = [
            {"cell_type": "code" if text is not None else "markdown", "source": text.source.text if text else ""}
            for text in self.texts.values()
        ]
        metadata = {"metadata": self.metadata} if isinstance(self.metadata, dict) else {}
        return json.dumps({"cells": cells, **metadata}).encode()

    def snapshot(self, encoding: str) -> Snapshot:
        code = {number: text for number, text in enumerate(self.texts.values(), 1) if text is not None}
        if not self.notebook:
            [text] = code.values()
            return Snapshot(text.source, [Part(text, 0, 0, len(text.source.text))], encoding)
        joined = join((number, text.source.text) for number, text in code.items())
        return Snapshot.of_cells(Source(self.name, joined), code, encoding)


def as_file(text: str) -> bytes:
    """The bytes a text would be saved as, a character for a character: what has no bytes becomes ``?``."""
    data = text.encode("utf-8", "replace")
    with suppress(SyntaxError, LookupError):
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return text.encode(encoding.removesuffix("-sig"), "replace")
    return data


@dataclass
class Documents:
    """The open documents. A notebook is found by its own URI and by those of its cells."""

    encoding: str = types.PositionEncodingKind.Utf16
    _open: dict[str, Document] = field(default_factory=dict)
    _of_text: dict[str, Document] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._open.values()))

    def unsaved(self) -> dict[str, bytes]:
        """What files are not yet on disk, by their real paths."""
        return {
            os.path.realpath(document.path): document.data()
            for document in self
            if document.path is not None and document.dirty and not document.notebook
        }

    def get(self, uri: str) -> Document | None:
        return self._of_text.get(uri) or self._open.get(uri)

    def close(self, uri: str) -> Document | None:
        document = self._open.pop(uri, None)
        for text in document.texts if document is not None else ():
            self._of_text.pop(text, None)
        return document

    def _add(self, document: Document) -> Document:
        self._open[document.uri] = document
        self._of_text.update(dict.fromkeys(document.texts, document))
        return document

    # Files

    def open(self, item: types.TextDocumentItem) -> Document | None:
        """Take in a file; None when it is not Python."""
        path = _path(item.uri)
        if item.language_id != PYTHON and not (path or item.uri).endswith(PYTHON_FILES):
            return None
        return self._add(Document(item.uri, path, item.version, {item.uri: _text(item)}))

    def change(self, params: types.DidChangeTextDocumentParams) -> Document | None:
        document = self._open.get(params.text_document.uri)
        if document is not None:
            document.version = params.text_document.version
            document.change(document.uri, document.version, [*params.content_changes], self.encoding)
        return document

    # Notebooks

    def open_notebook(self, params: types.DidOpenNotebookDocumentParams) -> Document:
        notebook = params.notebook_document
        texts = _cells(notebook.cells, params.cell_text_documents, {})
        path = _path(notebook.uri)
        return self._add(Document(notebook.uri, path, notebook.version, texts, True, notebook.metadata))

    def change_notebook(self, params: types.DidChangeNotebookDocumentParams) -> Document | None:
        document = self._open.get(params.notebook_document.uri)
        if document is None:
            return None
        document.version = params.notebook_document.version
        document.changes += 1
        document.dirty = True
        document.metadata = params.change.metadata or document.metadata
        cells = params.change.cells
        if cells is not None and cells.structure is not None:
            self._restructure(document, cells.structure)
        for text in cells.text_content or () if cells is not None else ():
            document.change(text.document.uri, text.document.version, [*text.changes], self.encoding)
        return document

    def _restructure(self, document: Document, change: types.NotebookDocumentCellChangeStructure) -> None:
        uris = list(document.texts)
        array = change.array
        inserted = _cells(array.cells or (), change.did_open or (), document.texts)
        uris[array.start : array.start + array.delete_count] = inserted
        texts = {**document.texts, **inserted}
        for uri in document.texts:
            self._of_text.pop(uri, None)
        document.texts = {uri: texts[uri] for uri in uris}
        self._of_text.update(dict.fromkeys(uris, document))


def _path(uri: str) -> str | None:
    return to_fs_path(uri) if uri.startswith("file:") else None


def _text(item: types.TextDocumentItem) -> Text:
    return Text(item.uri, item.version, Source(item.uri, item.text))


def _cells(
    cells: Iterable[types.NotebookCell], items: Iterable[types.TextDocumentItem], known: dict[str, Text | None]
) -> dict[str, Text | None]:
    """The texts of cells, None for those that are no Python."""
    code = {item.uri: _text(item) for item in items if item.language_id == PYTHON}
    return {
        cell.document: code.get(cell.document, known.get(cell.document))
        if cell.kind == types.NotebookCellKind.Code
        else None
        for cell in cells
    }
