"""The texts that clients have open, as they see them: files and notebooks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lsprotocol import types
from pygls.uris import to_fs_path

from mlxlint.rule import Finding
from mlxlint.server.text import changed, range_at
from mlxlint.source import Source


@dataclass
class Checked:
    """What was found in a document, and the state it was in then."""

    state: tuple[int, int]
    source: Source
    findings: Sequence[Finding]


@dataclass(eq=False)
class Document:
    """A file that is open, by its text; ``path`` is None for one that has no place on disk."""

    uri: str
    path: str | None
    version: int
    source: Source
    changes: int = 0
    checked: Checked | None = None

    def change(self, change: types.TextDocumentContentChangeEvent, encoding: str) -> None:
        self.source = changed(self.source, change, encoding)
        self.changes += 1

    def range(self, start: int, end: int, encoding: str) -> types.Range:
        return range_at(self.source, start, end, encoding)


@dataclass
class Documents:
    """The open documents by URI, in the client's position encoding."""

    encoding: str = types.PositionEncodingKind.Utf16
    _open: dict[str, Document] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Document]:
        return iter(list(self._open.values()))

    def get(self, uri: str) -> Document | None:
        return self._open.get(uri)

    def open(self, item: types.TextDocumentItem) -> Document | None:
        """Take in a document; None when it is not Python."""
        path = to_fs_path(item.uri) if item.uri.startswith("file:") else None
        if item.language_id != "python" and not (path or "").endswith((".py", ".pyi")):
            return None
        name = path or item.uri
        document = self._open[item.uri] = Document(item.uri, path, item.version, Source(name, item.text))
        return document

    def change(self, params: types.DidChangeTextDocumentParams) -> Document | None:
        document = self.get(params.text_document.uri)
        if document is not None:
            for change in params.content_changes:
                document.change(change, self.encoding)
            document.version = params.text_document.version
        return document

    def close(self, uri: str) -> Document | None:
        return self._open.pop(uri, None)
