"""Files as they were read last: of a project that is edited, only what changed is read anew."""

from __future__ import annotations

import os

from mlxlint.model.finder import File

Stamp = bytes | tuple[int, int] | None


class Disk:
    """The files that were asked for, each as long as it is what it was."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, File]] = {}

    def file(self, path: str, unsaved: bytes | None) -> File:
        """What a file holds, or will hold."""
        stamp = _stamp(path) if unsaved is None else unsaved
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = stamp, File(path, unsaved)
        return known[1]


def _stamp(path: str) -> Stamp:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
