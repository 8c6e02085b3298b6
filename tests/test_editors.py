"""The language server in editors as people have them: what they show, and what their actions do to a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = [sys.executable, "-m", "mlxlint", "server"]
SCRIPT = Path(__file__).parent / "editors" / "neovim.lua"
DEPRECATED = "import mlx.core as mx\n\npeak = mx.metal.get_peak_memory()\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim (`nvim`) is not installed")
def test_neovim_shows_findings_and_applies_a_fix(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    (tmp_path / "port.py").write_text(DEPRECATED, encoding="utf-8")
    options = ["--headless", "-u", "NONE", "-i", "NONE", "-n"]
    done = subprocess.run(
        ["nvim", *options, "port.py", "-c", "set filetype=python", "-c", f"luafile {SCRIPT}"],
        cwd=tmp_path,
        env={**os.environ, "MLXLINT_SERVER": json.dumps(SERVER), "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["before"] == [{"code": "MLX600", "line": 2, "source": "mlxlint"}]
    assert seen["text"] == DEPRECATED.replace("mx.metal.", "mx.")
    assert seen["after"] == 0
