"""The language server in editors as people have them: what they show, and what their actions do to a file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from mlxlint import __version__
from mlxlint.dev.vscode import PACKAGE, settings, with_settings
from mlxlint.server.settings import parse

VSCODE = ROOT / "editors" / "vscode"
SERVER = [sys.executable, "-m", "mlxlint", "server"]
SCRIPTS = Path(__file__).parent / "editors"
PAGE = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
DEPRECATED = "import mlx.core as mx\n\npeak = mx.metal.get_peak_memory()\n"
FIXED = DEPRECATED.replace("mx.metal.", "mx.")
EGLOT = ["--eval", "(package-initialize)", "--eval", "(require 'eglot)"]
PATIENCE = 180  # seconds


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def documented(language: str, part: str) -> str:
    """The settings that the page shows, with this server for the one on the path."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if part in block]
    server = Path(sys.executable).with_name("mlxlint")
    return block.replace('"mlxlint" "server"', f'"{server}" "server"').replace('= "mlxlint"', f'= "{server}"')


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """A file with a finding that has a safe fix, in a project."""
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    path = tmp_path / "port.py"
    path.write_text(DEPRECATED, encoding="utf-8")
    return path


def ran(command: list[str], port: Path, **environment: str) -> dict[str, Any]:
    """What an editor that was started on a file saw, as it prints it."""
    done = subprocess.run(
        command, cwd=port.parent, env={**os.environ, **environment}, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.slow
@needs("nvim")
def test_neovim_shows_findings_and_applies_a_fix(port: Path) -> None:
    options = ["--headless", "-u", "NONE", "-i", "NONE", "-n"]
    seen = ran(
        ["nvim", *options, port.name, "-c", "set filetype=python", "-c", f"luafile {SCRIPTS / 'neovim.lua'}"],
        port,
        MLXLINT_SERVER=json.dumps(SERVER),
        XDG_STATE_HOME=str(port.parent / "state"),
    )
    assert seen["before"] == [{"code": "MLX600", "line": 2, "source": "mlxlint"}]
    assert seen["text"] == FIXED
    assert seen["after"] == 0


@pytest.mark.slow
@needs("emacs")
def test_emacs_shows_findings_and_applies_a_fix(port: Path) -> None:
    if subprocess.run(["emacs", "--batch", *EGLOT], capture_output=True, check=False).returncode:
        pytest.skip("Emacs has no eglot")
    init = port.with_name("init.el")
    init.write_text(documented("elisp", "eglot"), encoding="utf-8")
    seen = ran(["emacs", "--batch", *EGLOT, "-l", str(init), port.name, "-l", str(SCRIPTS / "emacs.el")], port)
    [finding] = seen["before"]
    assert (finding["line"], "MLX600" in finding["text"]) == (2, True)
    assert port.read_text(encoding="utf-8") == FIXED


@pytest.mark.slow
@needs("hx", "tmux")
def test_helix_shows_findings_and_applies_a_fix(port: Path) -> None:
    config = port.parent / "config" / "helix"
    config.mkdir(parents=True)
    (config / "languages.toml").write_text(documented("toml", "language-server"), encoding="utf-8")
    variables = [f"XDG_CONFIG_HOME={config.parent}", f"XDG_CACHE_HOME={port.parent / 'cache'}", "TERM=xterm-256color"]
    tmux = ["tmux", "-L", f"mlxlint-{os.getpid()}"]

    def press(*keys: str) -> None:
        subprocess.run([*tmux, "send-keys", *keys], check=True)

    def wait_for(text: str) -> None:
        for _ in range(PATIENCE * 10):
            screen = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
            if text in screen:
                return
            time.sleep(0.1)
        pytest.fail(f"not seen: {text}\n{screen}")

    command = ["env", *variables, "hx", f"{port.name}:3:8"]
    subprocess.run([*tmux, "new-session", "-d", "-x", "100", "-y", "30", *command], cwd=port.parent, check=True)
    try:
        wait_for("is deprecated")
        press("Space", "a")
        wait_for("Use `mx.get_peak_memory`")
        press("Enter")
        wait_for("peak = mx.get_peak_memory()")
        press(":", "w", "Enter")
        wait_for("written")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert port.read_text(encoding="utf-8") == FIXED


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
