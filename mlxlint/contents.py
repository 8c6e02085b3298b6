"""What files hold, told without reading those that are what they were when they were read last.

That is known by a file's stamp, its size, its inode and the times at which its bytes and its entry changed last. The
stamp of a file that has only just changed is not kept: another change might leave it as it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from mlxlint.model.finder import digest

_SETTLED = 2_000_000_000  # nanoseconds since the last change, more than the coarsest clock of a file system takes


class Content(NamedTuple):
    """What a file holds; ``data`` are its bytes where these had to be read."""

    digest: str
    mentions_mlx: bool
    data: bytes | None = None

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(digest(data), mentions_mlx(data), data)


class Row(NamedTuple):
    """What is kept of a file from run to run."""

    path: str
    stamp: str
    digest: str
    mentions_mlx: bool


class Contents:
    """The files of a project in one run, by what was kept of them; ``learned`` is what is to be kept besides."""

    def __init__(self, kept: Iterable[Row] = ()) -> None:
        self._kept = {row.path: row for row in kept}
        self._known: dict[str, Content] = {}
        self.learned: list[Row] = []

    def of(self, path: str) -> Content:
        """What a file holds, or held when this was asked first; its bytes are told only then.

        Raises:
            OSError: when it cannot be read.
        """
        known = self._known.get(path)
        if known is not None:
            return known
        content = self._look(path)
        self._known[path] = content._replace(data=None)
        return content

    def _look(self, path: str) -> Content:
        stat = os.stat(path)  # before it is read: what changes meanwhile has another stamp
        stamp = f"{stat.st_size}-{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_ctime_ns}"
        row = self._kept.get(path)
        if row is not None and row.stamp == stamp:
            return Content(row.digest, row.mentions_mlx)
        content = Content.of(read(path))
        if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED:
            self.learned.append(Row(path, stamp, content.digest, content.mentions_mlx))
        return content


def read(path: str) -> bytes:
    """Raises:
    OSError: when the file cannot be read.
    """
    with open(path, "rb") as file:
        return file.read()


def mentions_mlx(data: bytes) -> bool:
    """Whether there can be a finding in a file."""
    return b"mlx" in data or b"MLX" in data
