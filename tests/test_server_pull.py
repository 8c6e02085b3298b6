"""Clients that ask for diagnostics, count in UTF-8, or can do next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_lsp
from conftest import HAZARD, PORTED
from editor import CONFIG, PATIENCE, Editor
from lsprotocol import types

SMILE = "import mlx.core as mx\nx = mx.zeros(12); s = '\N{GRINNING FACE}é'; y = x.view(12)\n"


@pytest_lsp.fixture(config=CONFIG)
async def editor(lsp_client: Editor) -> AsyncIterator[None]:
    yield
    await lsp_client.shutdown_session()


def pulling(*encodings: types.PositionEncodingKind) -> types.ClientCapabilities:
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=list(encodings) or None),
        text_document=types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities()),
        workspace=types.WorkspaceClientCapabilities(
            diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
        ),
    )


async def pull(editor: Editor, uri: str, previous: str | None = None) -> types.DocumentDiagnosticReport:
    params = types.DocumentDiagnosticParams(types.TextDocumentIdentifier(uri), previous_result_id=previous)
    return await editor.text_document_diagnostic_async(params)


@pytest.mark.asyncio
async def test_diagnostics_are_given_when_asked_for(editor: Editor, tmp_path: Path) -> None:
    result = await editor.begin(tmp_path, capabilities=pulling())
    assert result.capabilities.diagnostic_provider.inter_file_dependencies
    uri = editor.open("a.py", HAZARD)
    report = await pull(editor, uri)
    assert [diagnostic.code for diagnostic in report.items] == ["MLX101"]
    assert (await pull(editor, uri, report.result_id)).kind == "unchanged"
    editor.write(uri, PORTED)
    report = await pull(editor, uri, report.result_id)
    assert (report.kind, report.items) == ("full", ())
    assert (await pull(editor, (tmp_path / "unopened.py").as_uri())).items == ()
    assert uri not in editor.published


@pytest.mark.asyncio
async def test_a_client_that_asks_is_told_to_ask_again(editor: Editor, tmp_path: Path) -> None:
    await editor.begin(tmp_path, capabilities=pulling())
    uri = editor.open("a.py", HAZARD)
    report = await pull(editor, uri)
    before = editor.diagnostic_refresh_count
    (tmp_path / "mlxlint.toml").write_text('ignore = ["MLX101"]\n', encoding="utf-8")
    editor.disk_changed(tmp_path / "mlxlint.toml")
    report = await pull(editor, uri, report.result_id)
    assert report.items == ()
    assert editor.diagnostic_refresh_count > before


async def pull_workspace(
    editor: Editor, known: dict[str, str] | None = None, token: str | None = None
) -> dict[str, types.WorkspaceDocumentDiagnosticReport]:
    previous = [types.PreviousResultId(uri, result) for uri, result in (known or {}).items()]
    params = types.WorkspaceDiagnosticParams(previous, partial_result_token=token)
    report = await asyncio.wait_for(editor.workspace_diagnostic_async(params), PATIENCE)
    return {item.uri: item for item in report.items}


@pytest.mark.asyncio
async def test_the_workspace_is_given_when_asked_for(editor: Editor, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("bad.py", "good.py", "open.py")]
    for path, text in zip(paths, [HAZARD, PORTED, HAZARD]):
        path.write_text(text, encoding="utf-8")
    bad, good, opened = (path.as_uri() for path in paths)
    result = await editor.begin(tmp_path, capabilities=pulling())
    assert result.capabilities.diagnostic_provider.workspace_diagnostics
    editor.open("open.py", HAZARD)
    first = await pull_workspace(editor)
    assert {uri: [d.code for d in item.items] for uri, item in first.items()} == {bad: ["MLX101"], good: []}
    [diagnostic] = first[bad].items
    assert len(diagnostic.related_information) == 2
    known = {uri: item.result_id for uri, item in first.items()}
    assert {item.kind for item in (await pull_workspace(editor, known)).values()} == {"unchanged"}
    paths[0].unlink()
    paths[1].write_text(PORTED + "y = x.view(2)\n", encoding="utf-8")
    again = await pull_workspace(editor, known)
    assert {uri: [d.code for d in item.items] for uri, item in again.items()} == {bad: [], good: ["MLX405"]}
    assert opened not in editor.published


@pytest.mark.asyncio
async def test_a_client_that_has_time_is_answered_when_there_is_news(editor: Editor, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(HAZARD, encoding="utf-8")
    options = {"diagnosticMode": "workspace"}
    await editor.begin(tmp_path, capabilities=pulling(), options=options)
    first = await pull_workspace(editor, token="one")
    assert [d.code for d in first[path.as_uri()].items] == ["MLX101"]
    known = {uri: item.result_id for uri, item in first.items()}
    waiting = asyncio.ensure_future(pull_workspace(editor, known, token="two"))
    done, _ = await asyncio.wait([waiting], timeout=1)
    assert not done
    path.write_text(PORTED, encoding="utf-8")
    editor.disk_changed(path)
    assert [*(await waiting)[path.as_uri()].items] == []
    assert not editor.published.get(path.as_uri())


@pytest.mark.asyncio
@pytest.mark.parametrize(("encoding", "width"), [("utf-8", 6), ("utf-16", 3), ("utf-32", 2), (None, 3)])
async def test_columns_are_counted_as_the_client_does(
    editor: Editor, tmp_path: Path, encoding: str | None, width: int
) -> None:
    encodings = [types.PositionEncodingKind(encoding)] if encoding else []
    result = await editor.begin(tmp_path, capabilities=pulling(*encodings))
    assert result.capabilities.position_encoding == (encoding or "utf-16")
    uri = editor.open("a.py", SMILE)
    [diagnostic] = (await pull(editor, uri)).items
    column = SMILE.splitlines()[1].index("view") - 2 + width
    assert (diagnostic.range.start.character, diagnostic.range.end.character) == (column, column + 4)
    [action, *_] = await editor.actions(uri, diagnostic.range)
    assert action.edit is not None
    [[edit]] = (action.edit.changes or {}).values()
    assert edit.range.start.character == column
    assert "[MLX405]" in (await editor.hover(uri, 1, column + 3) or "")
    assert await editor.hover(uri, 1, column - 2) is None


@pytest.mark.asyncio
async def test_all_fixes_at_once_for_a_client_that_cannot_ask_later(editor: Editor, tmp_path: Path) -> None:
    await editor.begin(tmp_path, capabilities=types.ClientCapabilities())
    uri = editor.open("a.py", SMILE)
    [diagnostic] = await editor.found(uri)
    [action] = [a for a in await editor.actions(uri, diagnostic.range) if a.kind == "source.fixAll.mlxlint"]
    editor.apply(action.edit)
    assert editor.texts[uri] == SMILE.replace("view", "reshape")
    assert (await editor.execute(types.Command("", "mlxlint.checkWorkspace"))) == {"files": 0, "findings": 0}
