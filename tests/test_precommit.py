"""The real pre-commit installs the hook from a git repository and runs it on another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import HAZARD, PORTED

pytestmark = pytest.mark.slow

CONFIG = """\
repos:
  - repo: {repo}
    rev: {rev}
    hooks:
      - id: mlxlint
"""


class Shell:
    def __init__(self, tmp_path: Path) -> None:
        who = {"NAME": "A Developer", "EMAIL": "developer@example.org"}
        outer = ("GIT_DIR", "GIT_INDEX", "GIT_WORK")  # set when the tests themselves run in a hook
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(outer)},
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PRE_COMMIT_HOME": str(tmp_path / "pre-commit-home"),
        }

    def __call__(self, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, env=self.env, capture_output=True, text=True, timeout=300)

    def commit_all(self, folder: Path) -> str:
        """Make a folder a repository with one commit; the commit."""
        for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "All"]):
            done = self(folder, "git", *command)
            assert done.returncode == 0, done.stderr
        return self(folder, "git", "rev-parse", "HEAD").stdout.strip()


def test_hook_stops_a_hazard_and_lets_the_ported_file_pass(checkout: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    rev = shell.commit_all(checkout)
    port = tmp_path / "port"
    port.mkdir()
    (port / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=checkout, rev=rev), encoding="utf-8")
    (port / "model.py").write_text(HAZARD, encoding="utf-8")
    (port / "notes.txt").write_text("x[x > 0]\n", encoding="utf-8")
    shell.commit_all(port)

    stopped = shell(port, sys.executable, "-m", "pre_commit", "run", "--all-files")
    assert "model.py:4" in stopped.stdout, stopped.stdout + stopped.stderr
    assert "boolean-mask-read" in stopped.stdout
    assert stopped.returncode == 1

    (port / "model.py").write_text(PORTED, encoding="utf-8")
    passed = shell(port, sys.executable, "-m", "pre_commit", "run", "--all-files")
    assert passed.returncode == 0, passed.stdout + passed.stderr
