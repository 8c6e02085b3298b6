"""`mlxlint server` where there is no client, or not enough installed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest


def test_without_the_extra_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['pygls'] = None; from mlxlint.cli import main; sys.argv[1:] = ['server']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'mlxlint: error: the language server needs more packages: pip install "mlxlint[lsp]"\n'


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
