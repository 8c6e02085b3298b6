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
from mlxlint.notebook import cells_of
from mlxlint.rule import Applicability, Edit, Finding, Kind, Verification
from mlxlint.server import diagnostics, hover
from mlxlint.server.documents import Document
from mlxlint.server.snapshot import Checked, Snapshot
from mlxlint.source import split_lines
from mlxlint.suppress import file_ignore, ignores

if TYPE_CHECKING:
    from mlxlint.server.session import Server

QUICK_FIX = types.CodeActionKind.QuickFix.value
FIX_ALL = "source.fixAll.mlxlint"
FIX_ALL_OF_NOTEBOOK = f"notebook.{FIX_ALL}"
FIX_ALL_COMMAND, EXPLAIN, VERIFY = "mlxlint.fixAll", "mlxlint.explain", "mlxlint.verify"


def register(server: Server) -> None:
    kinds = [QUICK_FIX, FIX_ALL, FIX_ALL_OF_NOTEBOOK]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(kinds, resolve_provider=True))
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        uri = params.text_document.uri
        document = server.documents.get(uri)
        if document is None:
            return None
        checked = await server.check(document)
        only = params.context.only or []
        found = list(_at(server, checked, uri, params.range)) if _wanted(QUICK_FIX, only) else []
        kind = next((kind for kind in (FIX_ALL, FIX_ALL_OF_NOTEBOOK) if _wanted(kind, only)), None)
        if kind is not None and any(applicable(finding, unsafe=False) for finding in checked.findings):
            found.append(await _fix_all(server, document, kind, now=bool(only)))
        return found

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        document = server.documents.get(action.data["uri"]) if isinstance(action.data, dict) else None
        if document is not None:
            action.edit = await _fix_all_edit(server, document)
        return action

    @server.command(FIX_ALL_COMMAND)
    async def fix_all(uri: str) -> None:
        document = server.documents.get(uri)
        edit = await _fix_all_edit(server, document) if document is not None else None
        if edit is not None:
            await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, "Fix all (mlxlint)"))

    @server.command(EXPLAIN)
    async def explain(name: str) -> str | None:
        rule = registry.find(name)
        if rule is None:
            return None
        window = server.client_capabilities.window
        if window is not None and window.show_document is not None and window.show_document.support:
            await server.window_show_document_async(types.ShowDocumentParams(rule.url(), external=True))
        return hover.page(rule)

    @server.command(VERIFY)
    async def verify(uri: str, code: str, line: int, character: int) -> dict[str, Any] | None:
        return await _verify(server, uri, code, types.Position(line, character))


def _wanted(kind: str, only: Sequence[str]) -> bool:
    return not only or any(not wanted or f"{kind}.".startswith(f"{wanted}.") for wanted in only)


# For one finding


def _at(server: Server, checked: Checked, uri: str, range: types.Range) -> Iterator[types.CodeAction]:
    """The actions for the findings that a range touches."""
    start, end = checked.document.offset(uri, range.start), checked.document.offset(uri, range.end)
    if start is not None and end is not None:
        for finding in checked.findings:
            if finding.offsets[0] <= end and start <= finding.offsets[1]:
                yield from _for(server, checked.document, finding)


def _for(server: Server, snapshot: Snapshot, finding: Finding) -> Iterator[types.CodeAction]:
    uri, diagnostic = diagnostics.of_finding(finding, snapshot)

    def action(title: str, edits: Iterable[Edit], preferred: bool | None = None) -> types.CodeAction:
        edit = workspace_edit(server, snapshot, edits)
        return types.CodeAction(title, QUICK_FIX, [diagnostic], preferred, edit=edit)

    def command(title: str, command: str, *arguments: object) -> types.CodeAction:
        run = types.Command(title, command, arguments=list(arguments))
        return types.CodeAction(title, QUICK_FIX, [diagnostic], command=run)

    if finding.fix is not None and finding.fix.applicability is Applicability.SAFE:
        yield action(finding.fix.title, finding.fix.edits, preferred=True)
    elif finding.fix is not None and finding.fix.applicability is Applicability.UNSAFE:
        yield action(f"{finding.fix.title} (may change meaning)", finding.fix.edits)
    if finding.kind is not Kind.TOOL:
        yield action(f"Ignore {finding.name} on this line", ignores(snapshot.source, [finding]))
        edit = file_ignore(snapshot.source, finding.name)
        yield action(f"Ignore {finding.name} in this {'notebook' if finding.cell else 'file'}", [edit])
    yield command(f"Explain {finding.name}", EXPLAIN, finding.code)
    if finding.repro is not None:
        at = diagnostic.range.start
        yield command(f"Verify {finding.name}", VERIFY, uri, finding.code, at.line, at.character)


def workspace_edit(server: Server, snapshot: Snapshot, edits: Iterable[Edit]) -> types.WorkspaceEdit:
    """Edits as the client makes them, for the version they were made for where it can tell."""
    changed = snapshot.edits(edits)
    workspace = server.client_capabilities.workspace
    if workspace is None or workspace.workspace_edit is None or not workspace.workspace_edit.document_changes:
        return types.WorkspaceEdit(changes={text.uri: texts for text, texts in changed})
    versioned = types.OptionalVersionedTextDocumentIdentifier
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(versioned(text.uri, text.version), texts) for text, texts in changed]
    )


# For a file


async def _fix_all(server: Server, document: Document, kind: str, now: bool) -> types.CodeAction:
    """All safe fixes of a document; what they come to is worked out when it is asked for, if the client can ask."""
    action = types.CodeAction("Fix all (mlxlint)", kind, data={"uri": document.uri})
    text = server.client_capabilities.text_document
    support = text and text.code_action and text.code_action.resolve_support
    if now or not support or "edit" not in support.properties:
        action.edit = await _fix_all_edit(server, document)
    return action


async def _fix_all_edit(server: Server, document: Document) -> types.WorkspaceEdit | None:
    """The edit that makes all safe fixes, as often as there are more of them; None when there is nothing to fix."""
    task, snapshot, changes = server.task(document), document.snapshot(server.encoding), document.changes
    if task is None:
        return None
    [outcome] = await server.linter.check([replace(task, fixes=Applicability.SAFE)], server.documents.unsaved())
    if outcome.fixed is None or document.changes != changes:
        return None
    return workspace_edit(server, snapshot, _difference(snapshot.source.text, outcome.fixed.source.text))


def _difference(before: str, after: str) -> Iterator[Edit]:
    """The edits, of whole lines, that turn one text into another; each in one cell of a notebook."""
    cells = zip(cells_of(before), cells_of(after))
    spans = [((a.start, a.end), (b.start, b.end)) for a, b in cells] or [((0, len(before)), (0, len(after)))]
    for (start, end), (new_start, new_end) in spans:
        old, new = split_lines(before[start:end]), split_lines(after[new_start:new_end])
        starts = [start]
        for line in old:
            starts.append(starts[-1] + len(line))
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if tag != "equal":
                yield Edit(starts[i1], starts[i2], "".join(new[j1:j2]))


# Verification


async def _verify(server: Server, uri: str, code: str, position: types.Position) -> dict[str, Any] | None:
    """Run a finding's reproduction, show what it did, and return that; None when there is no such finding any more."""
    from mlxlint.report.shared import verified

    document = server.documents.get(uri)
    if document is None:
        return None
    checked = await server.check(document)
    offset = checked.document.offset(uri, position)
    finding = next((f for f in checked.findings if f.code == code and f.offsets[0] == offset), None)
    if finding is None:
        return None
    verification = await asyncio.to_thread(_run, server, document, finding)
    server.verifications[hover.key(finding)] = verification
    ran = verification.status in ("confirmed", "refuted")
    kind = types.MessageType.Info if ran else types.MessageType.Warning
    server.window_show_message(types.ShowMessageParams(kind, f"{finding.name}: {verified(verification)}"))
    return asdict(verification)


def _run(server: Server, document: Document, finding: Finding) -> Verification:
    from mlxlint.verify import Place, VerifyError, verify

    folder = server.folders.of(document.path)
    device = folder.settings(document.path).value("device")
    place = Place(device, folder.interpreter) if folder.interpreter else Place(device)
    try:
        [found] = verify([finding], place=place)
    except VerifyError as error:
        return Verification("skipped", reason=str(error))
    assert found.verification is not None
    return found.verification
