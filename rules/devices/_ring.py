"""Two processes that know each other, for reproductions of distributed operations."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from mlxlint.rule import Skipped
from mlxlint.rules._shared import python_like_this

PORTS = range(20_000, 60_000, 2)
LONGEST = 10.0  # seconds
ALONE = "two processes do not find each other here"


@contextmanager
def two_processes(script: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Runs a script in two processes, which are ended in the end. It finds ``mx``, ``group`` and ``time``."""
    port = PORTS[os.getpid() % len(PORTS)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as hosts:
        json.dump([[f"127.0.0.1:{port + rank}"] for rank in range(2)], hosts)
        hosts.flush()
        head = "import time\nimport mlx.core as mx\ngroup = mx.distributed.init(backend='ring', strict=True)\n"
        head += "mx.set_default_device(mx.cpu)\n"
        processes = [
            subprocess.Popen(
                python_like_this(head + script),
                env={**os.environ, "MLX_RANK": str(rank), "MLX_HOSTFILE": hosts.name},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def answers(script: str) -> list[list[float]]:
    """What a script prints, as JSON, in each of two processes.

    Raises:
        Skipped: when the two do not find each other, as where MLX was built without its ring.
    """
    with two_processes(script) as processes:
        found = [answer(process, LONGEST) for process in processes]
    if None in found:
        raise Skipped(ALONE)
    return [each for each in found if each is not None]


def answer(process: subprocess.Popen[str], seconds: float) -> list[float] | None:
    """What a process prints, as JSON; None when it takes too long or fails."""
    try:
        printed = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        return None
    numbers: list[float] | None = json.loads(printed or "null")
    return numbers
