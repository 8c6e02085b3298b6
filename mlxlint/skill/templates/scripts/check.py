"""Lint files and folders; where a Python with MLX is found, run the reproduction of each finding.

python scripts/check.py PATH... [options of `mlxlint check`]
"""

from __future__ import annotations

import sys

from _mlxlint import python_with_mlx, run

if __name__ == "__main__":
    python = python_with_mlx()
    if python is None:
        print("no Python with MLX and libcst was found: findings are not run", file=sys.stderr)
    sys.exit(run("check", *(["--verify"] if python else []), *sys.argv[1:], python=python))
