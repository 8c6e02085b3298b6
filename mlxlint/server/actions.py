"""What can be done about a finding: its fix, all safe fixes, ignoring it, reading about it, verifying it."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from mlxlint import registry
from mlxlint.fix import applicable
from mlxlint.rule import Applicability, Edit, Finding, Kind, Verification
from mlxlint.server import diagnostics
from mlxlint.server.documents import Checked, Document
from mlxlint.server.text import offset_at
from mlxlint.source import split_lines
from mlxlint.suppress import file_ignore, ignores

if TYPE_CHECKING:
    from mlxlint.server.session import Server

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.mlxlint"
QUICK_FIX = types.CodeActionKind.QuickFix
FIX_ALL_COMMAND, EXPLAIN, VERIFY = "mlxlint.fixAll", "mlxlint.explain", "mlxlint.verify"


def register(server: Server) -> None:
    kinds = [QUICK_FIX, FIX_ALL]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds, resolve_provider=True))
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        document = server.documents.get(params.text_document.uri)
        if document is None:
            return None
        checked = await server.check(document)
        actions = _Actions(server, document, checked)
        only = params.context.only or []
        found: list[types.CodeAction] = []
        if _wanted(QUICK_FIX, only):
            found += actions.at(params.range)
        if _wanted(FIX_ALL, only) and any(applicable(finding, False) for finding in checked.findings):
            found.append(await actions.fix_all(now=bool(only)))
        return found

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        document = server.documents.get(action.data["uri"]) if isinstance(action.data, dict) else None
        if document is not None and action.kind == FIX_ALL:
            action.edit = await _fix_all_edit(server, document)
        return action

    @server.command(FIX_ALL_COMMAND)
    async def fix_all(uri: str) -> None:
        document = server.documents.get(uri)
        edit = await _fix_all_edit(server, document) if document is not None else None
        if edit is not None:
            await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, "Fix all"))

    @server.command(EXPLAIN)
    async def explain(name: str) -> str | None:
        rule = registry.find(name)
        if rule is None:
            return None
        window = server.client_capabilities.window
        if window is not None and window.show_document is not None and window.show_document.support:
            await server.window_show_document_async(types.ShowDocumentParams(rule.url(), external=True))
        return rule.documentation()

    @server.command(VERIFY)
    async def verify(uri: str, place: Any) -> dict[str, Any] | None:
        return await _verify(server, uri, place)


def _wanted(kind: str, only: Sequence[str]) -> bool:
    return not only or any(kind == wanted or kind.startswith(f"{wanted}.") or not wanted for wanted in only)


class _Actions:
    """The actions for one document as it is."""

    def __init__(self, server: Server, document: Document, checked: Checked) -> None:
        self.server, self.document, self.checked = server, document, checked

    def at(self, range: types.Range) -> Iterator[types.CodeAction]:
        """The actions for the findings that a range touches."""
        start = offset_at(self.checked.source, range.start, self.server.encoding)
        end = offset_at(self.checked.source, range.end, self.server.encoding)
        found = diagnostics.diagnostics(self.document, self.checked, self.server.encoding)
        for finding, diagnostic in zip(self.checked.findings, found):
            if finding.offsets[0] <= end and start <= finding.offsets[1]:
                yield from self._for(finding, diagnostic)

    def _for(self, finding: Finding, diagnostic: types.Diagnostic) -> Iterator[types.CodeAction]:
        if finding.fix is not None and finding.fix.applicability is not Applicability.MANUAL:
            safe = finding.fix.applicability is Applicability.SAFE
            title = finding.fix.title if safe else f"{finding.fix.title} (may change meaning)"
            yield self._edit(title, finding.fix.edits, diagnostic, preferred=safe)
        if finding.kind is not Kind.TOOL:
            yield self._edit(f"Ignore {finding.name} here", ignores(self.checked.source, [finding]), diagnostic)
            edit = file_ignore(self.checked.source, finding.name)
            yield self._edit(f"Ignore {finding.name} in this file", [edit], diagnostic)
        yield self._command(f"Explain {finding.name}", EXPLAIN, diagnostic, finding.code)
        if finding.repro is not None:
            place = {"code": finding.code, "start": list(finding.offsets)}
            yield self._command("Verify this finding", VERIFY, diagnostic, self.document.uri, place)

    def _edit(
        self, title: str, edits: Iterable[Edit], diagnostic: types.Diagnostic, preferred: bool | None = None
    ) -> types.CodeAction:
        edit = workspace_edit(self.server, self.document, edits)
        return types.CodeAction(title, QUICK_FIX, [diagnostic], is_preferred=preferred or None, edit=edit)

    def _command(self, title: str, command: str, diagnostic: types.Diagnostic, *arguments: object) -> types.CodeAction:
        run = types.Command(title, command, arguments=list(arguments))
        return types.CodeAction(title, QUICK_FIX, [diagnostic], command=run)

    async def fix_all(self, now: bool) -> types.CodeAction:
        """All safe fixes of the file; what they come to is worked out when it is asked for, if the client can ask."""
        action = types.CodeAction("Fix all (mlxlint)", FIX_ALL, data={"uri": self.document.uri})
        if now or not self._resolves():
            action.edit = await _fix_all_edit(self.server, self.document)
        return action

    def _resolves(self) -> bool:
        text = self.server.client_capabilities.text_document
        support = text and text.code_action and text.code_action.resolve_support
        return bool(support and "edit" in support.properties)


def workspace_edit(server: Server, document: Document, edits: Iterable[Edit]) -> types.WorkspaceEdit:
    """Edits of a document, for the version of it that they were made for, where the client can tell."""
    texts = [
        types.TextEdit(document.range(edit.start, edit.end, server.encoding), edit.content)
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end))
    ]
    workspace = server.client_capabilities.workspace
    if workspace is None or workspace.workspace_edit is None or not workspace.workspace_edit.document_changes:
        return types.WorkspaceEdit(changes={document.uri: texts})
    versioned = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(versioned, texts)])


async def _fix_all_edit(server: Server, document: Document) -> types.WorkspaceEdit | None:
    """The edit that makes all safe fixes, as often as there are more of them."""
    task, before = server.task(document), document.source.text
    if task is None:
        return None
    [outcome] = await server.linter.check([replace(task, fixes=Applicability.SAFE)])
    if outcome.fixed is None or document.source.text != before:
        return None
    return workspace_edit(server, document, _difference(before, outcome.fixed.source.text))


def _difference(before: str, after: str) -> Iterator[Edit]:
    """The edits, whole lines each, that turn one text into another."""
    old, new = split_lines(before), split_lines(after)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Edit(starts[i1], starts[i2], "".join(new[j1:j2]))


async def _verify(server: Server, uri: str, place: Any) -> dict[str, Any] | None:
    """Run a finding's reproduction, show what it did, and return that."""
    from mlxlint.report.shared import verified

    document = server.documents.get(uri)
    if document is None:
        return None
    checked = await server.check(document)
    finding = next((f for f in checked.findings if [f.code, *f.offsets] == [place["code"], *place["start"]]), None)
    if finding is None:
        return None
    verification = await asyncio.to_thread(_run, server, document, finding)
    message = f"{finding.name}: {verified(verification)}"
    kind = types.MessageType.Info if verification.status in ("confirmed", "refuted") else types.MessageType.Warning
    server.window_show_message(types.ShowMessageParams(kind, message))
    return asdict(verification)


def _run(server: Server, document: Document, finding: Finding) -> Verification:
    from mlxlint.verify import Place, VerifyError, verify

    folder = server.folders.of(document.path)
    device = folder.settings(document.path).value("device")
    place = Place(device, folder.client.interpreter) if folder.client.interpreter else Place(device)
    try:
        [verified] = verify([finding], place=place)
    except VerifyError as error:
        return Verification("skipped", reason=str(error))
    assert verified.verification is not None
    return verified.verification
