"""After any edits the server has the client's text, and says of it what the command line says.

`MLXLINT_EDIT_SEQUENCES=2000 pytest tests/test_server_edits.py` tries so many sequences.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from mlxlint import run
from mlxlint.config import Configuration
from mlxlint.files import collect
from mlxlint.server import diagnostics
from mlxlint.server.documents import Document, Documents
from mlxlint.server.linter import check_texts
from mlxlint.server.session import Server
from mlxlint.server.snapshot import Checked

SEQUENCES = int(os.environ.get("MLXLINT_EDIT_SEQUENCES", "50"))
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
WIDTHS = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
LINE_END = re.compile("\r\n|\r|\n")
FRAGMENTS = [
    "import mlx.core as mx\n",
    "x = mx.zeros((3, 4))\n",
    "y = x[x > 0]\n",
    "x.view(12)",
    "if x:\n    ",
    "'\N{GRINNING FACE}é'; ",
    "# mlxlint: ignore[MLX101]\n",
    "  # noqa: MLX405",
    *("(", ")", "\n", "\r\n", "\r", "\t", " ", "\x0c", "\u2028", "", "'''", "\\", "!ls"),
]
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join)
edits = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.5), fragments), max_size=8)
thorough = settings(
    max_examples=SEQUENCES,
    phases=set(Phase) - {Phase.shrink, Phase.explain},  # which would take a hundred more runs
    suppress_health_check=list(HealthCheck),
)


class Client:
    """A text as an editor keeps it, with positions as it counts them."""

    def __init__(self, text: str, encoding: str) -> None:
        self.text = text
        self.encoding = encoding

    def position(self, offset: int) -> types.Position:
        ends = [end.end() for end in LINE_END.finditer(self.text, 0, offset)]
        part = self.text[ends[-1] if ends else 0 : offset]
        return types.Position(len(ends), len(part.encode(CODECS[self.encoding])) // WIDTHS[self.encoding])

    def place(self, position: types.Position) -> tuple[int, int]:
        """Row and column in characters, from 1."""
        line = LINE_END.split(self.text)[position.line].encode(CODECS[self.encoding])
        before = line[: position.character * WIDTHS[self.encoding]]
        return position.line + 1, len(before.decode(CODECS[self.encoding])) + 1

    def edit(self, at: float, length: float, text: str) -> types.TextDocumentContentChangeEvent:
        """Replace a part of the text, no line end halved."""
        start = self._whole(int(at * len(self.text)))
        end = self._whole(min(len(self.text), start + int(length * len(self.text))))
        range = types.Range(self.position(start), self.position(end))
        self.text = self.text[:start] + text + self.text[end:]
        return types.TextDocumentContentChangePartial(range, text)

    def _whole(self, offset: int) -> int:
        return offset + 1 if self.text[offset - 1 : offset + 1] == "\r\n" else offset


def found_by_server(server: Server, document: Document, clients: dict[str, Client]) -> list[tuple[Any, ...]]:
    """URI, code, and first and last place in characters of each diagnostic."""
    task = server.task(document)
    assert task is not None
    [outcome] = check_texts([task], server.documents.unsaved())
    checked = Checked((0, 0), document.snapshot(server.encoding), outcome.findings)
    return sorted(
        (uri, d.code, *clients[uri].place(d.range.start), *clients[uri].place(d.range.end))
        for uri, found in diagnostics.by_text(checked).items()
        for d in found
    )


def found_by_command(path: Path, uris: Sequence[str]) -> list[tuple[Any, ...]]:
    findings = run.check(collect([str(path)], Configuration()).files).findings
    return sorted(
        (uris[(f.cell or 1) - 1], f.code, f.start.row, f.start.column, f.end.row, f.end.column) for f in findings
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edited")


@thorough
@given(fragments, st.lists(edits, max_size=4), st.sampled_from(sorted(CODECS)))
def test_a_file(folder: Path, text: str, changes: list[list[tuple[float, float, str]]], encoding: str) -> None:
    path = folder / "edited.py"
    uri = path.as_uri()
    client = Client(FRAGMENTS[0] + FRAGMENTS[1] + text, encoding)
    server = Server()
    server.documents = Documents(encoding)
    document = server.documents.open(types.TextDocumentItem(uri, "python", 0, client.text))
    assert document is not None
    for version, change in enumerate(changes, 1):
        identifier = types.VersionedTextDocumentIdentifier(version, uri)
        events = [client.edit(*edit) for edit in change]
        server.documents.change(types.DidChangeTextDocumentParams(identifier, events))
        assert document.snapshot(encoding).source.text == client.text
    path.write_bytes(client.text.encode())
    assert found_by_server(server, document, {uri: client}) == found_by_command(path, [uri])


Step = tuple[int, int, list[str], list[tuple[float, float, str]]]
steps = st.tuples(st.integers(0, 4), st.integers(0, 2), st.lists(fragments, max_size=2), edits)


@thorough
@given(st.lists(fragments, max_size=3), st.lists(steps, max_size=4), st.sampled_from(sorted(CODECS)))
def test_a_notebook(folder: Path, texts: list[str], changes: list[Step], encoding: str) -> None:
    path = folder / "edited.ipynb"
    clients: dict[str, Client] = {}

    def opened(texts: list[str]) -> list[types.TextDocumentItem]:
        items = [types.TextDocumentItem(f"cell:{len(clients) + i}", "python", 0, t) for i, t in enumerate(texts)]
        clients.update({item.uri: Client(item.text, encoding) for item in items})
        return items

    def cells(items: Sequence[types.TextDocumentItem]) -> list[types.NotebookCell]:
        return [types.NotebookCell(types.NotebookCellKind.Code, item.uri) for item in items]

    server = Server()
    server.documents = Documents(encoding)
    items = opened([FRAGMENTS[0] + FRAGMENTS[1], *texts])
    order = [item.uri for item in items]
    notebook = types.NotebookDocument(path.as_uri(), "jupyter-notebook", 0, cells(items))
    document = server.documents.open_notebook(types.DidOpenNotebookDocumentParams(notebook, items))
    for version, (start, count, added, change) in enumerate(changes, 1):
        start = min(start, len(order))
        items, removed = opened(added), order[start : start + count]
        order[start : start + count] = [item.uri for item in items]
        array = types.NotebookCellArrayChange(start, len(removed), cells(items))
        closed = [types.TextDocumentIdentifier(uri) for uri in removed]
        structure = types.NotebookDocumentCellChangeStructure(array, items, closed)
        contents = []
        if order:
            uri = order[version % len(order)]
            identifier = types.VersionedTextDocumentIdentifier(version, uri)
            events = [clients[uri].edit(*edit) for edit in change]
            contents = [types.NotebookDocumentCellContentChanges(identifier, events)]
        event = types.NotebookDocumentChangeEvent(cells=types.NotebookDocumentCellChanges(structure, None, contents))
        identifier = types.VersionedNotebookDocumentIdentifier(version, path.as_uri())
        server.documents.change_notebook(types.DidChangeNotebookDocumentParams(identifier, event))
        assert {uri: text and text.source.text for uri, text in document.texts.items()} == {
            uri: clients[uri].text for uri in order
        }
    code = [{"cell_type": "code", "source": clients[uri].text} for uri in order]
    path.write_text(json.dumps({"cells": code}), encoding="utf-8")
    assert found_by_server(server, document, clients) == found_by_command(path, order)
