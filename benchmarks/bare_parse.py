"""The floor: read and parse every Python file of a tree with LibCST, and do nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import libcst as cst

if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).rglob("*.py")):
        cst.parse_module(path.read_bytes())
