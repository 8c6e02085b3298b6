"""`mlxlint server` where there is no client, or not enough installed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import HAZARD, PORTED
from editor import SERVER, make_editor
from lsprotocol import types


def test_without_the_extra_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['pygls'] = None; from mlxlint.cli import main; sys.argv[1:] = ['server']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'mlxlint: error: the language server needs more packages: pip install "mlxlint[lsp]"\n'


def test_a_rule_pack_that_cannot_be_loaded_is_told_once(tmp_path: Path) -> None:
    pack = tmp_path / "pack-1.dist-info"
    pack.mkdir()
    (pack / "METADATA").write_text("Metadata-Version: 2.1\nName: pack\nVersion: 1\n", encoding="utf-8")
    (pack / "entry_points.txt").write_text("[mlxlint.rules]\npack = no_such_module\n", encoding="utf-8")

    async def session() -> list[str]:
        editor = make_editor()
        await editor.start_io(*SERVER, env={**os.environ, "PYTHONPATH": str(tmp_path)})
        await editor.begin(tmp_path)
        uri = editor.open("a.py", HAZARD)
        await editor.until(lambda: editor.messages)
        editor.write(uri, PORTED)
        assert await editor.execute(types.Command("", "mlxlint.checkWorkspace")) == {"files": 0, "findings": 0}
        await editor.shutdown_session()
        return [message.message for message in editor.messages]

    [told] = asyncio.run(session())
    assert told.startswith("mlxlint: rule pack `no_such_module` cannot be loaded: ModuleNotFoundError: ")


@pytest.mark.skipif(os.name != "posix", reason="tells processes by signals")
def test_a_client_that_is_gone_leaves_no_process() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "mlxlint", "server"], stdin=subprocess.PIPE, start_new_session=True
    )
    assert server.stdin is not None
    server.stdin.close()
    assert server.wait(timeout=30) is not None
    deadline = time.monotonic() + 30
    while _lives(server.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _lives(server.pid)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
