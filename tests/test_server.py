"""The language server, as a client meets it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import pytest_lsp
from conftest import HAZARD, PORTED
from editor import CONFIG, Editor, place
from lsprotocol import types

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = "import mlx.core as mx\n"
FIXABLE = f"{HEAD}x = mx.zeros(12)\ny = x.view(3, 4)\nz = x.view(12)\n"
VIEW = "view-as-reshape"


@pytest_lsp.fixture(config=CONFIG, scope="module")
async def editor(lsp_client: Editor, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    await lsp_client.begin(tmp_path_factory.mktemp("project"))
    yield
    await lsp_client.shutdown_session()


# Diagnostics


async def test_a_finding_is_a_diagnostic_with_all_that_is_known(editor: Editor) -> None:
    [diagnostic] = await editor.found(uri := editor.open("full.py", HAZARD))
    assert (diagnostic.code, diagnostic.source, diagnostic.severity) == ("MLX101", "mlxlint", 1)
    assert diagnostic.range == place(HAZARD, "x[x > 0]")
    assert diagnostic.code_description is not None
    assert diagnostic.code_description.href.endswith("/rules/boolean-mask-read/")
    assert diagnostic.tags is None
    [array, mask] = diagnostic.related_information or []
    assert (array.location.uri, array.location.range.start.line) == (uri, 2)
    assert "`x` is an mlx array" in array.message
    assert "`x > 0` is a boolean mlx array" in mask.message


async def test_what_is_deprecated_has_the_tag(editor: Editor) -> None:
    [diagnostic] = await editor.found(editor.open("old.py", f"{HEAD}mx.metal.clear_cache()\n"))
    assert diagnostic.tags == (types.DiagnosticTag.Deprecated,)


async def test_the_newest_version_wins(editor: Editor) -> None:
    uri = editor.open("typed.py", HAZARD)
    for _ in range(30):
        editor.write(uri, HAZARD + "# typing\n" * editor.versions[uri])
    editor.write(uri, PORTED)
    assert await editor.codes(uri) == []
    await asyncio.sleep(0.3)
    assert editor.published[uri].version == 32


async def test_text_that_is_no_python(editor: Editor) -> None:
    uri = editor.open("broken.py", f"{HAZARD}(")
    assert await editor.codes(uri) == ["MLX001"]
    editor.write(uri, HAZARD)
    assert await editor.codes(uri) == ["MLX101"]


async def test_a_file_with_no_place_and_one_outside_the_workspace(editor: Editor, tmp_path: Path) -> None:
    assert await editor.codes(editor.open("untitled:Untitled-1", HAZARD)) == ["MLX101"]
    assert await editor.codes(editor.open((tmp_path / "elsewhere.py").as_uri(), HAZARD)) == ["MLX101"]


async def test_other_languages_are_left_alone(editor: Editor) -> None:
    uri = editor.open("notes.md", HAZARD, "markdown")
    editor.write(uri, HAZARD + " ")
    await editor.codes(editor.open("after.py", PORTED))
    assert uri not in editor.published


async def test_closing_takes_the_diagnostics_away(editor: Editor) -> None:
    await editor.codes(uri := editor.open("closed.py", HAZARD))
    editor.close(uri)
    await editor.until_codes(uri)


async def test_what_other_files_say_counts_before_it_is_saved(editor: Editor) -> None:
    shared = editor.folder / "shared.py"
    shared.write_text(f"{HEAD}data = [1, 2]\n", encoding="utf-8")
    text = "import mlx.core as mx\nfrom shared import data\nkept = data[data > 0]\n"
    user = editor.open("user.py", text)
    assert await editor.codes(user) == []
    other = editor.open("shared.py", f"{HEAD}data = [1, 2]\n")
    editor.write(other, f"{HEAD}data = mx.zeros(3)\n")
    editor.write(user, text + "\n")
    assert await editor.codes(user) == ["MLX101"]


async def test_a_saved_module_has_those_that_import_it_checked(editor: Editor) -> None:
    module = editor.folder / "module.py"
    module.write_text(f"{HEAD}data = [1, 2]\n", encoding="utf-8")
    text = "import mlx.core as mx\nfrom module import data\nkept = data[data > 0]\n"
    user = editor.open("imports.py", text)
    assert await editor.codes(user) == []
    module.write_text(f"{HEAD}data = mx.zeros(3)\n", encoding="utf-8")
    editor.save(user)
    await editor.until_codes(user, "MLX101")
    module.write_text(f"{HEAD}data = [1, 2]\n", encoding="utf-8")
    editor.disk_changed(module)
    await editor.until_codes(user)


# Config files


async def test_a_changed_config_file_holds_at_once(editor: Editor) -> None:
    folder = editor.folder / "configured"
    folder.mkdir()
    config = folder / "mlxlint.toml"
    uri = editor.open("configured/port.py", HAZARD)
    assert await editor.codes(uri) == ["MLX101"]
    config.write_text('severity = { MLX101 = "info" }\n', encoding="utf-8")
    editor.disk_changed(config)
    await editor.until(lambda: [d.severity for d in editor.published[uri].diagnostics] == [3])
    config.write_text('ignore = ["boolean-mask-read"]\n', encoding="utf-8")
    editor.save(uri)
    await editor.until_codes(uri)


async def test_a_broken_config_file_shows_and_the_last_good_settings_stay(editor: Editor) -> None:
    folder = editor.folder / "broken"
    folder.mkdir()
    config = folder / "pyproject.toml"
    config.write_text('[tool.mlxlint]\nignore = ["MLX101"]\n', encoding="utf-8")
    uri = editor.open("broken/port.py", HAZARD)
    assert await editor.codes(uri) == []
    for text, row in [('[tool.mlxlint]\n\nselct = ["MLX1"]\n', 2), ("[tool.mlxlint]\na = \n", 1)]:
        config.write_text(text, encoding="utf-8")
        editor.disk_changed(config)
        await editor.until(
            lambda row=row: [d.range.start.line for d in _of(editor, config)] == [row]  # type: ignore[misc]
        )
    [problem] = _of(editor, config)
    assert "invalid TOML" in problem.message
    editor.write(uri, FIXABLE + HAZARD)
    assert await editor.codes(uri) == ["MLX405", "MLX405"]
    config.write_text("", encoding="utf-8")
    editor.disk_changed(config)
    await editor.until(lambda: not _of(editor, config))
    await editor.until_codes(uri, "MLX405", "MLX405", "MLX101")


def _of(editor: Editor, path: Path) -> list[types.Diagnostic]:
    params = editor.published.get(path.as_uri())
    return [*params.diagnostics] if params is not None else []


async def test_excluded_files_are_left_alone(editor: Editor) -> None:
    (editor.folder / "excluded").mkdir()
    (editor.folder / "excluded" / "mlxlint.toml").write_text('exclude = ["port.py"]\n', encoding="utf-8")
    assert await editor.codes(editor.open("excluded/port.py", HAZARD)) == []
    assert await editor.codes(editor.open("excluded/other.py", HAZARD)) == ["MLX101"]


# Actions


async def test_a_fix(editor: Editor) -> None:
    uri = editor.open("fix.py", FIXABLE)
    action = await editor.action(uri, "Replace `view` by `reshape`")
    assert (action.kind, action.is_preferred) == (types.CodeActionKind.QuickFix, True)
    assert [diagnostic.code for diagnostic in action.diagnostics or ()] == ["MLX405"]
    editor.apply(action.edit)
    assert editor.texts[uri] == FIXABLE.replace("view(3", "reshape(3")


async def test_a_fix_that_may_change_meaning_says_so(editor: Editor) -> None:
    uri = editor.open("unsafe.py", HAZARD)
    action = await editor.action(uri, "Read the positions that NumPy finds in the mask (may change meaning)")
    assert not action.is_preferred
    editor.apply(action.edit)
    assert "import numpy as np\n" in editor.texts[uri]


async def test_ignoring_on_the_line_and_in_the_file(editor: Editor) -> None:
    for title in (f"Ignore {VIEW} on this line", f"Ignore {VIEW} in this file"):
        uri = editor.open(f"{title}.py", f"#!/usr/bin/env python\n{FIXABLE}")
        action = await editor.action(uri, title)
        editor.apply(action.edit)
        editor.write(uri, editor.texts[uri])
        left = 0 if "file" in title else 1
        assert await editor.codes(uri) == ["MLX405"] * left
        assert editor.texts[uri].startswith("#!")


async def test_all_safe_fixes_at_once(editor: Editor) -> None:
    uri = editor.open("all.py", FIXABLE + "kept = x[x > 0]\n")
    await editor.found(uri)
    for only, resolved in [("source.fixAll.mlxlint", True), ("source.fixAll", True), ("source", True)]:
        [action] = await editor.actions(uri, place(FIXABLE, "import"), only)
        assert (action.kind, action.edit is not None) == ("source.fixAll.mlxlint", resolved)
    offered = await editor.actions(uri, place(FIXABLE, "import"))
    [action] = [action for action in offered if action.kind == "source.fixAll.mlxlint"]
    assert action.edit is None
    editor.apply((await editor.code_action_resolve_async(action)).edit)
    assert editor.texts[uri] == FIXABLE.replace("view", "reshape") + "kept = x[x > 0]\n"


async def test_only_what_is_asked_for_is_offered(editor: Editor) -> None:
    uri = editor.open("only.py", FIXABLE)
    [diagnostic, _] = await editor.found(uri)
    kinds = {action.kind for action in await editor.actions(uri, diagnostic.range, "quickfix")}
    assert kinds == {"quickfix"}
    assert await editor.actions(uri, diagnostic.range, "refactor") == []


async def test_fixing_all_by_command(editor: Editor) -> None:
    uri = editor.open("command.py", FIXABLE)
    await editor.execute(types.Command("", "mlxlint.fixAll", arguments=[uri]))
    assert editor.texts[uri] == FIXABLE.replace("view", "reshape")


async def test_explaining_shows_the_rule(editor: Editor) -> None:
    uri = editor.open("explained.py", HAZARD)
    text = await editor.execute((await editor.action(uri, "Explain boolean-mask-read")).command)
    assert "## What it does" in text
    assert editor.shown_documents[-1].uri.endswith("/rules/boolean-mask-read/")
    assert await editor.execute(types.Command("", "mlxlint.explain", arguments=["no-such-rule"])) is None


@pytest.mark.skipif(os.name != "posix", reason="reproductions run on macOS and Linux only")
@pytest.mark.skipif(find_spec("mlx") is None, reason="MLX is not installed")
async def test_verifying_runs_the_reproduction(editor: Editor) -> None:
    uri = editor.open("verified.py", HAZARD)
    command = (await editor.action(uri, "Verify boolean-mask-read")).command
    verification = await editor.execute(command)
    assert verification["status"] == "confirmed"
    assert any("boolean-mask-read: confirmed on" in message.message for message in editor.messages)
    assert "confirmed on" in (await editor.hover(uri, 3, 8) or "")
    editor.write(uri, PORTED)
    assert await editor.execute(command) is None


# Hovers


async def test_hovering_over_a_finding_and_a_code(editor: Editor) -> None:
    text = HAZARD + "a = x[x > 0]  # mlxlint: ignore[boolean-mask-read]\nb = x[x > 0]  # noqa: MLX101\n"
    uri = editor.open("hovered.py", text)
    shown = await editor.hover(uri, 3, 8)
    assert shown is not None
    assert shown.startswith("`x` is read through the boolean mask `x > 0`")
    for row, column in [(3, 8), (4, 36), (5, 23)]:
        assert "**boolean-mask-read** ([MLX101](" in (await editor.hover(uri, row, column) or "")
    for row, column in [(0, 3), (4, 18), (5, 16)]:
        assert await editor.hover(uri, row, column) is None


# The session


async def test_a_request_can_be_cancelled(editor: Editor) -> None:
    uri = editor.open("cancelled.py", HAZARD * 200)
    context = types.CodeActionContext([])
    range = types.Range(types.Position(0, 0), types.Position(0, 0))
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), range, context)
    sent = editor.protocol.send_request(types.TEXT_DOCUMENT_CODE_ACTION, params, msg_id="to-cancel")
    editor.cancel_request(types.CancelParams("to-cancel"))
    with pytest.raises(Exception, match="cancel"):
        await asyncio.wait_for(asyncio.wrap_future(sent), 30)
    assert len(await editor.found(uri)) == 200


async def test_requests_about_files_that_are_not_open_have_no_answer(editor: Editor) -> None:
    uri = (editor.folder / "unopened.py").as_uri()
    assert await editor.hover(uri, 0, 0) is None
    assert await editor.actions(uri, place("x", "x")) == []
    assert await editor.execute(types.Command("", "mlxlint.verify", arguments=[uri, "MLX101", 0, 0])) is None


async def test_the_client_is_asked_to_watch(editor: Editor) -> None:
    methods = {registration.method for registration in editor.registered}
    assert methods == {types.WORKSPACE_DID_CHANGE_WATCHED_FILES, types.WORKSPACE_DID_CHANGE_CONFIGURATION}


async def test_the_workspace_is_checked_with_progress(editor: Editor) -> None:
    folder = editor.folder / "many"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.py").write_text(HAZARD, encoding="utf-8")
    result = await editor.execute(types.Command("", "mlxlint.checkWorkspace"))
    assert result["findings"] >= 3
    for number in range(3):
        await editor.until_codes((folder / f"{number}.py").as_uri(), "MLX101")
    [[begin, *reports, end]] = editor.progress_reports.values()
    assert begin.kind == "begin"
    assert reports[-1].percentage == 100
    assert end.kind == "end"


async def test_a_check_of_the_workspace_can_be_cancelled(editor: Editor) -> None:
    folder = editor.folder / "cancelled"
    folder.mkdir()
    for number in range(40):
        (folder / f"{number}.py").write_text(f"{HAZARD}# {'x' * 50_000}\n", encoding="utf-8")
    before = set(editor.progress_reports)
    checking = asyncio.ensure_future(editor.execute(types.Command("", "mlxlint.checkWorkspace")))
    while not (running := [token for token in editor.progress_reports if token not in before]):
        await asyncio.sleep(0.01)
    editor.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(running[0]))
    assert await checking is None
    [begin, *_, end] = editor.progress_reports[running[0]]
    assert (begin.kind, begin.cancellable, end.kind) == ("begin", True, "end")
    found = [uri for uri in editor.published if uri.startswith(folder.as_uri())]
    assert len(found) < 40
    assert await editor.codes(editor.open("after-cancelling.py", HAZARD)) == ["MLX101"]
