"""What a client may set: for all, for each folder, at any time."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_lsp
from conftest import HAZARD
from editor import CONFIG, Editor
from lsprotocol import types

from mlxlint.baseline import Baseline, Entry
from mlxlint.server.settings import ClientSettings, parse, section

BOTH = HAZARD + "y = x.view(2)\n"


@pytest_lsp.fixture(config=CONFIG)
async def editor(lsp_client: Editor) -> AsyncIterator[None]:
    yield
    await lsp_client.shutdown_session()


def folders(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("first", "second")]
    for folder in found:
        folder.mkdir()
    return found


@pytest.mark.asyncio
async def test_each_folder_has_its_own(editor: Editor, tmp_path: Path) -> None:
    first, second = folders(tmp_path)
    editor.set_configuration({"mlxlint": {"ignore": ["MLX101"]}}, scope_uri=first.as_uri())
    editor.set_configuration({"mlxlint": {"ignore": ["MLX405"]}}, scope_uri=second.as_uri())
    await editor.begin(first, second)
    in_first, in_second = (editor.open((folder / "a.py").as_uri(), BOTH) for folder in (first, second))
    outside = editor.open((tmp_path / "a.py").as_uri(), BOTH)
    await editor.until_codes(in_first, "MLX405")
    await editor.until_codes(in_second, "MLX101")
    await editor.until_codes(outside, "MLX101", "MLX405")

    editor.set_configuration({"mlxlint": {"severity": {"MLX4": "info"}, "select": ["MLX4"]}}, scope_uri=first.as_uri())
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await editor.until(lambda: [d.severity for d in editor.published[in_first].diagnostics] == [3])


@pytest.mark.asyncio
async def test_a_file_belongs_to_the_innermost_folder(editor: Editor, tmp_path: Path) -> None:
    outer, inner, alike = tmp_path / "port", tmp_path / "port" / "inner", tmp_path / "port-more"
    inner.mkdir(parents=True)
    editor.set_configuration({"mlxlint": {"ignore": ["MLX101"]}}, scope_uri=outer.as_uri())
    editor.set_configuration({"mlxlint": {"ignore": ["MLX405"]}}, scope_uri=inner.as_uri())
    await editor.begin(outer, inner)
    for folder, codes in [(outer, ["MLX405"]), (inner, ["MLX101"]), (alike, ["MLX101", "MLX405"])]:
        await editor.until_codes(editor.open((folder / "a.py").as_uri(), BOTH), *codes)


@pytest.mark.asyncio
async def test_folders_come_and_go(editor: Editor, tmp_path: Path) -> None:
    first, second = folders(tmp_path)
    editor.set_configuration({"mlxlint": {"enable": False}}, scope_uri=second.as_uri())
    await editor.begin(first)
    uri = editor.open((second / "a.py").as_uri(), HAZARD)
    await editor.until_codes(uri, "MLX101")
    folder = types.WorkspaceFolder(second.as_uri(), "second")
    for added, removed, codes in [([folder], [], []), ([], [folder], ["MLX101"])]:
        event = types.WorkspaceFoldersChangeEvent(added, removed)
        editor.workspace_did_change_workspace_folders(types.DidChangeWorkspaceFoldersParams(event))
        await editor.until_codes(uri, *codes)


@pytest.mark.asyncio
async def test_settings_sent_by_a_client_that_cannot_be_asked(editor: Editor, tmp_path: Path) -> None:
    await editor.begin(tmp_path, options={"settings": {"ignore": ["MLX101"]}}, capabilities=types.ClientCapabilities())
    uri = editor.open("a.py", BOTH)
    assert await editor.codes(uri) == ["MLX405"]
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams({"mlxlint": {"select": ["MLX101"]}}))
    await editor.until_codes(uri, "MLX101")


@pytest.mark.asyncio
async def test_in_the_place_of_another_server_its_settings_are_left_alone(editor: Editor, tmp_path: Path) -> None:
    await editor.begin(tmp_path, options={"ignore": ["MLX101"]})
    uri = editor.open("a.py", BOTH)
    await editor.until_codes(uri, "MLX405")
    theirs = {"pylsp": {"plugins": {"jedi": {"environment": "/venv"}}}}
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(theirs))
    editor.write(uri, BOTH + "\n")
    assert await editor.codes(uri) == ["MLX405"]
    assert editor.messages == []


@pytest.mark.asyncio
async def test_what_cannot_be_used_is_told_and_the_rest_holds(editor: Editor, tmp_path: Path) -> None:
    settings = {"mlxlint": {"ignore": ["MLX101"], "selct": ["MLX4"], "minConfidence": "very"}}
    editor.set_configuration(settings)
    await editor.begin(tmp_path)
    assert await editor.codes(editor.open("a.py", BOTH)) == ["MLX405"]
    told = {message.message for message in editor.messages}
    assert any("unknown setting `selct` (did you mean `select`?)" in message for message in told)
    assert any("setting `minConfidence`: expected" in message for message in told)


@pytest.mark.asyncio
async def test_a_config_file_for_the_folder(editor: Editor, tmp_path: Path) -> None:
    config = tmp_path / "settings" / "strict.toml"
    config.parent.mkdir()
    config.write_text('select = ["MLX405"]\n', encoding="utf-8")
    editor.set_configuration({"mlxlint": {"configurationFile": "settings/strict.toml"}})
    await editor.begin(tmp_path)
    uri = editor.open("a.py", BOTH)
    await editor.until_codes(uri, "MLX405")
    config.write_text("select = [\n", encoding="utf-8")
    editor.save(uri)
    await editor.until(lambda: config.as_uri() in editor.published)
    [problem] = editor.published[config.as_uri()].diagnostics
    assert "invalid TOML" in problem.message
    await editor.until_codes(uri, "MLX405")


@pytest.mark.asyncio
async def test_what_is_on_record_in_the_baseline_is_not_shown(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "mlxlint.toml").write_text('baseline = "known.json"\n', encoding="utf-8")
    baseline = Baseline(str(tmp_path / "known.json"))
    entry = Entry("a.py", "MLX101", "kept = x[x > 0]")
    baseline.entries[entry] = 1
    await editor.begin(tmp_path)
    uri = editor.open("a.py", BOTH)
    await editor.until_codes(uri, "MLX101", "MLX405")
    assert "known.json" in editor.published[Path(baseline.path).as_uri()].diagnostics[0].message
    baseline.write()
    editor.write(uri, BOTH + "y = x[x > 0]\n")
    assert await editor.codes(uri) == ["MLX405", "MLX101"]
    await editor.until(lambda: not editor.published[Path(baseline.path).as_uri()].diagnostics)


@pytest.mark.asyncio
async def test_checking_on_save_only(editor: Editor, tmp_path: Path) -> None:
    editor.set_configuration({"mlxlint": {"run": "onSave"}})
    await editor.begin(tmp_path)
    uri = editor.open("a.py", "")
    await editor.until_codes(uri)
    editor.write(uri, HAZARD)
    other = editor.open("b.py", HAZARD)
    await editor.until_codes(other, "MLX101")
    assert editor.published[uri].version == 1
    editor.save(uri)
    await editor.until_codes(uri, "MLX101")


@pytest.mark.asyncio
async def test_a_whole_workspace_is_checked_where_that_is_set(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(HAZARD, encoding="utf-8")
    editor.set_configuration({"mlxlint": {"diagnosticMode": "workspace"}})
    await editor.begin(tmp_path)
    uri = (tmp_path / "a.py").as_uri()
    await editor.until_codes(uri, "MLX101")
    (tmp_path / "a.py").write_text(BOTH, encoding="utf-8")
    (tmp_path / "b.py").write_text(HAZARD, encoding="utf-8")
    editor.disk_changed(tmp_path / "a.py", tmp_path / "b.py")
    await editor.until_codes(uri, "MLX101", "MLX405")
    await editor.until_codes((tmp_path / "b.py").as_uri(), "MLX101")
    (tmp_path / "b.py").unlink()
    editor.open("a.py", HAZARD)
    editor.disk_changed(tmp_path / "b.py")
    await editor.until_codes((tmp_path / "b.py").as_uri())
    await editor.until_codes(uri, "MLX101")
    editor.close(uri)
    await editor.until_codes(uri, "MLX101", "MLX405")


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix", reason="reproductions run on macOS and Linux only")
@pytest.mark.skipif(find_spec("mlx") is None, reason="MLX is not installed")
async def test_findings_are_verified_by_the_interpreter_of_their_folder(editor: Editor, tmp_path: Path) -> None:
    bare = tmp_path / "first" / "python"
    first, second = folders(tmp_path)
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    bare.chmod(0o755)
    editor.set_configuration({"mlxlint": {"interpreter": ["./python"]}}, scope_uri=first.as_uri())
    await editor.begin(first, second)
    statuses = []
    for folder in (first, second):
        uri = editor.open((folder / "a.py").as_uri(), HAZARD)
        verification = await editor.execute((await editor.action(uri, "Verify")).command)
        statuses.append(verification["status"])
    assert statuses == ["skipped", "confirmed"]


def test_settings_as_sent() -> None:
    given = {"targetMlx": "0.31", "target-mlx-lm": None, "run": "onSave", "interpreter": ["/usr/bin/python3", "-I"]}
    expected = ClientSettings(run="onSave", interpreter="/usr/bin/python3", options={"target-mlx": "0.31"})
    assert parse(given) == (expected, [])
    for sent in (given, {"settings": given}, {"mlxlint": given}, {"settings": {"mlxlint": given}}):
        assert section(sent) == given
    for nothing in (None, [], "mlxlint", {}):
        assert parse(nothing) == (ClientSettings(), [])
    assert parse({"run": "never"})[1] == ["setting `run`: expected 'onType' or 'onSave', not 'never'"]
