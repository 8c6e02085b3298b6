"""Run every fact on the first Python found that can import MLX, and compare with what is on record.

python scripts/probe.py [--model PATH] [options of `mlxlint probe`]
"""

from __future__ import annotations

import sys

from _mlxlint import python_with_mlx, run

if __name__ == "__main__":
    python = python_with_mlx()
    if python is None:
        sys.exit(
            "no Python with MLX and libcst was found: name one in MLXLINT_PYTHON, or `pip install mlxlint[verify]`"
        )
    sys.exit(run("probe", *sys.argv[1:], python=python))
