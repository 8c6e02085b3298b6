"""Installed, known and newest MLX and MLX-LM as JSON; with --from and --to what changed between two releases.

python scripts/releases.py [options of `mlxlint releases`]
"""

from __future__ import annotations

import sys

from _mlxlint import python_with_mlx, run

if __name__ == "__main__":
    sys.exit(run("releases", "--output-format", "json", *sys.argv[1:], python=python_with_mlx()))
