"""What was found in the files of a workspace that are not open, for clients that ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lsprotocol import types

from mlxlint.model.finder import digest


class Found(NamedTuple):
    """``result`` is the same for the same diagnostics."""

    result: str
    diagnostics: Sequence[types.Diagnostic]


class Unopened:
    """Diagnostics by the URI of their file. ``asked`` is whether the client asks for them itself."""

    def __init__(self) -> None:
        self.asked = False
        self._found: dict[str, Found] = {}
        self._news = asyncio.Event()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._found))

    def put(self, uri: str, diagnostics: Sequence[types.Diagnostic]) -> None:
        self._found[uri] = Found(digest(repr(diagnostics).encode()), diagnostics)
        self._news.set()

    def report(self, known: Mapping[str, str]) -> types.WorkspaceDiagnosticReport:
        """All there is; what the client has with the same result is only named."""
        return types.WorkspaceDiagnosticReport(
            [
                types.WorkspaceUnchangedDocumentDiagnosticReport(uri, found.result)
                if known.get(uri) == found.result
                else types.WorkspaceFullDocumentDiagnosticReport(uri, found.diagnostics, result_id=found.result)
                for uri, found in self._found.items()
            ]
        )

    async def news(self, known: Mapping[str, str]) -> types.WorkspaceDiagnosticReport:
        """What the client does not have, as soon as there is any of it."""
        while not (items := [item for item in self.report(known).items if item.kind == "full"]):
            self._news.clear()
            await self._news.wait()
        return types.WorkspaceDiagnosticReport(items)
