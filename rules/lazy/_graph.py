"""Measuring how much of a computation MLX still remembers, for reproductions."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def graph_size(array: Any) -> int:
    """How many edges the graph has that computes an array; next to none when it is evaluated."""
    import tempfile

    import mlx.core as mx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.dot"
        mx.export_to_dot(str(path), array)
        return path.read_text().count("->")
