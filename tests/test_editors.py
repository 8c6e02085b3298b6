"""The language server in editors as people have them: what they show, and what their actions do to a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

from mlxlint import __version__
from mlxlint.dev.vscode import PACKAGE, settings, with_settings
from mlxlint.server.settings import parse

VSCODE = ROOT / "editors" / "vscode"
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


def test_the_vscode_extension_has_the_settings_and_the_version_there_are() -> None:
    package = json.loads(PACKAGE.read_text(encoding="utf-8"))
    assert package == json.loads(json.dumps(with_settings(package))), "python -m mlxlint.dev.vscode writes them anew"
    lock = json.loads((VSCODE / "package-lock.json").read_text(encoding="utf-8"))
    assert package["version"] == lock["version"] == __version__
    assert not any("resolved" in entry for entry in lock["packages"].values())
    assert (VSCODE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_settings_of_the_vscode_extension_are_taken_by_the_server() -> None:
    defaults = {
        name.removeprefix("mlxlint."): setting["default"]
        for name, setting in settings().items()
        if "default" in setting
    }
    assert {"select", "perFileIgnores", "diagnosticMode"} <= defaults.keys()
    assert parse(defaults)[1] == []


@pytest.mark.slow
@pytest.mark.skipif(not (VSCODE / "node_modules").exists(), reason="needs `npm ci` in editors/vscode")
def test_the_vscode_extension_is_built(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    assert npm is not None
    built = tmp_path / "mlxlint.vsix"
    subprocess.run([npm, "run", "--silent", "package", "--", "--out", str(built)], cwd=VSCODE, check=True, timeout=180)
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
    assert {"extension/package.json", "extension/out/extension.js", "extension/readme.md"} <= names
    assert not any("node_modules" in name for name in names)
