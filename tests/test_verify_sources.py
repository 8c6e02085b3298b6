"""``mlxlint check --verify`` on sources that try to be run, to be believed, or to wear the machine out."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mlx.core")

TRAP = "open({marker!r}, 'w').close()\n"
SHADOWS = (
    "mlx.py",
    "sitecustomize.py",
    "usercustomize.py",
    "random.py",
    "json.py",
    "libcst.py",
    "numpy.py",
    "mlxlint.py",
)
HAZARD = """
    import mlx.core as mx
    x = mx.arange(6)
    y = x[x > 2]
"""


def check(folder: Path, source: str, path: str = "port.py") -> list[dict[str, Any]]:
    """Findings of a source in a folder that the linter is started in, or of all that is there."""
    (folder / "port.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-I", "-c", "from mlxlint.cli import main; main()", "check", "--isolated", "--no-cache"]
    options = ["--verify", "--device", "cpu", "--output-format", "json", path]
    run = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1, run.stderr
    findings: list[dict[str, Any]] = json.loads(run.stdout)
    return findings


def statuses(findings: list[dict[str, Any]]) -> set[str]:
    return {finding["verification"]["status"] for finding in findings}


def test_nothing_of_the_linted_folder_is_imported(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    trap = TRAP.format(marker=str(marker))
    for name in SHADOWS:
        (tmp_path / name).write_text(trap)
    findings = check(tmp_path, trap + textwrap.dedent(HAZARD))
    assert statuses(findings) == {"confirmed"}
    assert not marker.exists()


def test_nothing_that_could_be_called_is_called(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source = f"""
        import mlx.core as mx
        def trap(*_, **__):
            {TRAP.format(marker=str(marker)).strip()}
            return 1
        class Meta(type):
            __getattr__ = __instancecheck__ = trap
        class Trap(metaclass=Meta):
            __class_getitem__ = __init_subclass__ = __getattr__ = __index__ = __repr__ = trap
        @trap
        def decorated(x: Trap[trap()], size=trap()):
            y = x[x > Trap()]
        x = mx.zeros((trap(), Trap()))
        y = x[x > 2]
        z = x[mx.array([True, False])]
    """
    assert statuses(check(tmp_path, source)) == {"confirmed"}
    assert not marker.exists()


CRAFTED = {
    "a huge shape": "x = mx.zeros((10**9, 10**9))",
    "a negative shape": "x = mx.zeros((-5, -1))",
    "not a number": "x = mx.full((3,), float('nan')) * 1e999",
    "a list of 10**9": "x = mx.array([0] * 10**9)",
    "a long list": f"x = mx.array({[1] * 20_000})",
    "a deep list": f"x = mx.array({'[' * 80}1{']' * 80})",
    "a huge integer": f"x = mx.array(1{'0' * 4000})",
    "a huge power": "x = mx.zeros((9**9**9,))",
    "a template": "x = mx.array('{0.__class__.__init__.__globals__}', dtype='%s{}')",
    "a path": "x = mx.load('../../../etc/passwd\\x00')",
    "an odd name": "x = __import__('os').environ = mx.zeros(3)",
}


def test_crafted_literals_do_no_harm(tmp_path: Path) -> None:
    for name, line in CRAFTED.items():
        after = (
            "y = x[x > 2]\nx[:1][0] = 3\nz = mx.zeros_like(x)[x == float('nan')]\nlast = mx.arange(3)[mx.arange(3) > 1]"
        )
        (tmp_path / f"{name}.py").write_text(f"import mlx.core as mx\n{line}\n{after}\n")
    findings = check(tmp_path, HAZARD, ".")
    seen = {Path(finding["filename"]).stem for finding in findings if finding["verification"]["status"] == "confirmed"}
    assert seen == {*CRAFTED, "port"}
    assert statuses(findings) <= {"confirmed", "skipped"}
