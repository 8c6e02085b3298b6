"""The temporary folder of a run: its workers' folders are in it, and a later run removes one that was left."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

PREFIX = "mlxlint-"
IN_USE = "in-use"  # locked as long as the run that made it lives


class Workplace:
    """A folder of this run's own. What runs that were killed left behind, processes included, goes first."""

    def __init__(self) -> None:
        import fcntl

        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        file = self.path / f"{IN_USE}.new"
        self._lock = file.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        file.rename(self.path / IN_USE)

    def remove(self) -> None:
        """End what still runs in the folder, and remove it."""
        clear(self.path)
        self._lock.close()


def sweep() -> None:
    """Clear the folders of runs that ended without doing so."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{IN_USE}"):
        if is_abandoned(path):
            clear(path.parent)


def is_abandoned(path: Path) -> bool:
    """Whether a lock is this user's and nobody holds it."""
    import fcntl

    try:
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(file.fileno()).st_uid == os.getuid()
    except OSError:
        return False


def clear(folder: Path) -> None:
    """Remove a folder and end the processes that were started in it."""
    kill_marked(str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def kill_marked(mark: str) -> bool:
    """Kill processes that left their group but were started with a worker's folder (Linux); whether there were any."""
    marked = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MLXLINT_WORKER={mark}".encode() in entry.read_bytes():
                marked.append(int(entry.parent.name))
        except OSError:
            continue  # gone, or another user's
    for pid in marked:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(marked)
