"""Finds mlxlint and a Python that can run reproductions, and runs the one with the other."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator


def command() -> list[str]:
    """How to call mlxlint here."""
    found = shutil.which("mlxlint")
    if found is not None:
        return [found]
    if importlib.util.find_spec("mlxlint") is not None:
        return [sys.executable, "-m", "mlxlint"]
    sys.exit("mlxlint is not installed: pip install mlxlint")


def pythons() -> Iterator[str]:
    """Pythons that may have MLX, the most likely first."""
    folders = [os.environ.get("VIRTUAL_ENV"), ".venv", "venv", os.environ.get("CONDA_PREFIX")]
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    for folder in filter(None, folders):
        yield os.path.join(folder, inside)
    yield sys.executable
    for name in ("python3", "python", *(f"python3.{minor}" for minor in range(14, 9, -1))):
        yield shutil.which(name) or ""


def imports_mlx(python: str) -> bool:
    check = [python, "-c", "import libcst, mlx.core"]  # reproductions need both
    try:
        return subprocess.run(check, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def python_with_mlx() -> str | None:
    """$MLXLINT_PYTHON, else the first Python found that can import MLX."""
    stated = os.environ.get("MLXLINT_PYTHON")
    return stated or next((python for python in dict.fromkeys(pythons()) if python and imports_mlx(python)), None)


def run(*arguments: str, python: str | None = None) -> int:
    """Run mlxlint, which runs MLX with that Python."""
    environment = os.environ | ({"MLXLINT_PYTHON": python} if python else {})
    return subprocess.run([*command(), *arguments], env=environment).returncode
