"""A release: what wheel and sdist hold, and that the wheel alone lints in an environment without MLX."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import HAZARD

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)


def shipped(checkout: Path) -> set[str]:
    """Files of the packages as a wheel names them."""
    files = [*(checkout / "mlxlint").rglob("*.*"), *(checkout / "rules").rglob("*.*")]
    paths = [path.relative_to(checkout).as_posix() for path in files if path.suffix in (".py", ".json", ".typed")]
    return {"mlxlint/" + path if path.startswith("rules/") else path for path in paths}


def test_release(checkout: Path, tmp_path: Path) -> None:
    files = shipped(checkout)
    built = run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", cwd=checkout)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sdist,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert {"pyproject.toml", "setup.py", "LICENSE"} <= {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        assert files <= set(archive.namelist())

    (tmp_path / "port.py").write_text(HAZARD, encoding="utf-8")
    python = tmp_path / "env" / "bin" / "python"
    assert run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path).returncode == 0
    installed = run(python, "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    assert installed.returncode == 0, installed.stderr
    assert run(python, "-c", "import mlx", cwd=tmp_path).returncode == 1
    linted = run(tmp_path / "env" / "bin" / "mlxlint", "port.py", cwd=tmp_path)
    assert "boolean-mask-read" in linted.stdout
    assert linted.returncode == 1, linted.stderr
