"""The baseline: known findings on record, so that only new ones are reported.

An entry is a rule, a file, the text of a line and a count: moving code does not make an old finding new, and one more
of the same on another such line is new.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from mlxlint.config import shown
from mlxlint.files import write_whole
from mlxlint.rule import Finding

VERSION = 1
_NEVER = "MLX002"  # a failure of the tool is no property of the code

Lines = Callable[[Finding], str]


class BaselineError(Exception):
    """A baseline that cannot be read or written; the argument says which and why."""


@dataclass(frozen=True, order=True)
class Entry:
    """``path`` is relative to the baseline's folder, with ``/``; ``line`` is text with its white space evened out."""

    path: str
    rule: str
    line: str


class Baseline:
    """Entries with their counts, and the folder their paths start from."""

    def __init__(self, path: str, entries: Counter[Entry] | None = None) -> None:
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))
        self.entries = entries or Counter()

    @classmethod
    def read(cls, path: str) -> Baseline:
        """Raises:
        BaselineError: when the file cannot be read or is no baseline.
        """
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            if data["version"] != VERSION:
                raise BaselineError(f"{shown(path)}: baseline of version {data['version']}, expected {VERSION}")
            entries = Counter({Entry(e["path"], e["rule"], e["line"]): int(e["count"]) for e in data["findings"]})
        except OSError as error:
            raise BaselineError(f"{shown(path)}: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BaselineError(f"{shown(path)}: not a baseline: {type(error).__name__}: {error}") from None
        return cls(path, entries)

    def write(self) -> None:
        """Raises:
        BaselineError: when the file cannot be written.
        """
        findings = [
            {"path": entry.path, "rule": entry.rule, "line": entry.line, "count": count}
            for entry, count in sorted(self.entries.items())
        ]
        text = json.dumps({"version": VERSION, "findings": findings}, indent=1) + "\n"
        try:
            write_whole(self.path, text.encode())
        except OSError as error:
            raise BaselineError(f"{shown(self.path)}: {error.strerror}") from None

    def _entry(self, finding: Finding, lines: Lines) -> Entry:
        return Entry(self.relative(finding.path), finding.code, " ".join(lines(finding).split()))

    def relative(self, path: str) -> str:
        return os.path.relpath(path, self.folder).replace(os.sep, "/")

    def record(self, findings: Iterable[Finding], lines: Lines) -> None:
        self.entries = Counter(self._entry(finding, lines) for finding in findings if finding.code != _NEVER)

    def filter(self, findings: Sequence[Finding], lines: Lines) -> tuple[list[Finding], Counter[Entry]]:
        """The findings that are not on record, and the entries that were not found again."""
        left = self.entries.copy()
        new = []
        for finding in findings:
            entry = self._entry(finding, lines)
            if left[entry] > 0:
                left[entry] -= 1
            else:
                new.append(finding)
        return new, +left

    def stale(self, left: Counter[Entry], checked: Collection[str], codes: Collection[str]) -> int:
        """How many of the entries left belong to files checked or gone, and to rules that were looked for."""
        paths = {self.relative(path) for path in checked}
        return sum(
            count
            for entry, count in left.items()
            if entry.rule in codes
            and (entry.path in paths or not os.path.exists(os.path.join(self.folder, entry.path)))
        )
