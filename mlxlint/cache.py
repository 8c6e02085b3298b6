"""Findings kept from run to run: one SQLite file a project.

What is kept of a file holds while its text, the settings and mlxlint itself are the same, and while all that was asked
about other modules has the same answers. A cache that cannot be read or written costs time and nothing else; so does a
row that is not as it was written. What stands in it is data, never code: a cache that came with a checkout can do no
more than hide findings.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from mlxlint import registry
from mlxlint.config import Settings
from mlxlint.contents import Content, Contents, Row
from mlxlint.model.finder import Fact, Facts, File, Finder, digest
from mlxlint.rule import Applicability, Confidence, Edit, Finding, Fix, Kind, Position, Reason, Severity

if TYPE_CHECKING:
    from mlxlint.checker import Outcome, Task

FOLDER = ".mlxlint_cache"
FILE = "findings.db"
FILES = (FILE, FILE + "-journal", ".gitignore")  # all that is ever in the folder
KEPT_DAYS = 30
WAIT = 2.0  # seconds for another process that writes
_DAY = 86_400

_COLUMNS = {
    "results": ("path", "settings", "text", "asked", "findings", "seal", "told", "told_seal", "day"),
    "contents": (*Row._fields, "seal", "day"),
}
_KEYS = {"results": "path, settings", "contents": "path"}
_WHERE = "path = ? AND settings = ? AND text = ?"


class Key(NamedTuple):
    """Whose findings, found with which settings, in which text: the latter two as digests."""

    path: str
    settings: str
    text: str

    @classmethod
    def of(cls, path: str, text: str, settings: Settings) -> Key:
        return cls(path, _settings_digest(settings, settings.codes_for(path)), text)


def _seal(*texts: str) -> str:
    """What tells of a row whether it is as it was written."""
    return digest("\0".join(texts).encode("utf-8", "surrogateescape"))


def _settings_digest(settings: Settings, codes: frozenset[str]) -> str:
    known = _digests.get((settings, codes))
    if known is None:
        severities = sorted((code, severity.value) for code, severity in settings.severity.items())
        targets = [settings.value(key) for key in ("min-confidence", "target-mlx", "target-mlx-lm")]
        whole = (registry.digest(), sorted(settings.codes), sorted(codes), severities, settings.src, targets)
        known = _digests[settings, codes] = digest(repr(whole).encode("utf-8", "surrogateescape"))
    return known


_digests: dict[tuple[Settings, frozenset[str]], str] = {}


def folder(settings: Settings) -> str:
    """Where the findings of a project are kept: beside its config file, else in the working folder."""
    return os.path.join(settings.root or os.getcwd(), FOLDER)


def clean(folder: str) -> bool:
    """Remove a cache, but nothing that is no part of one. Returns whether there was any.

    Raises:
        OSError: when it cannot be removed.
    """
    there = os.path.lexists(os.path.join(folder, FILE))
    for name in FILES:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return there


class Cache:
    """The findings kept in one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._finders: dict[tuple[str, ...], Finder] = {}
        self._rows: list[tuple[object, ...]] = []
        self._renewed: list[tuple[str, ...]] = []  # what was asked of rows that hold though a package changed
        self._database = self._opened() if os.path.exists(self._path) else None

    @property
    def _path(self) -> str:
        return os.path.join(self._folder, FILE)

    def _opened(self) -> sqlite3.Connection | None:
        """A connection; None when another process holds the file, or it cannot be opened here."""
        with contextlib.suppress(OSError, sqlite3.Error):
            try:
                return _connect(self._path)
            except sqlite3.OperationalError:
                return None
            except sqlite3.DatabaseError:  # corrupt, foreign or of another format: nobody needs it
                os.unlink(self._path)
                return _connect(self._path)
        return None

    def get(self, key: Key, shown: str, settings: Settings) -> list[Finding] | None:
        """What was found, in a file named ``shown`` by now; None when that is not known, or may have changed."""
        if self._database is None:
            return None
        try:
            row = self._row(key, "asked, findings, seal")
            if row is None or row[2] != _seal(*key, row[0], row[1]):
                return None
            asked = dict(_facts(row[0]))
            answers = self._finder(settings).hold(asked, lambda: self._told(key))
            if answers is None:
                return None
            if answers != asked:
                now = json.dumps([*answers.items()])
                self._renewed.append((now, _seal(*key, now, row[1]), *key))
            return [_finding(values, shown) for values in json.loads(row[1])]
        except (sqlite3.Error, ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None

    @cached_property
    def contents(self) -> Contents:
        """What is known of the files' texts."""
        return Contents(self._kept_contents())

    def _kept_contents(self) -> Iterator[Row]:
        if self._database is None:
            return
        with contextlib.suppress(sqlite3.Error, TypeError):
            kept = self._database.execute(f"SELECT {', '.join(Row._fields)}, seal FROM contents")
            for path, stamp, text, mentions_mlx, seal in kept:
                row = Row(path, stamp, text, bool(mentions_mlx))
                if seal == _seal(*map(str, row)):
                    yield row

    def _told(self, key: Key) -> Iterator[Fact]:
        """Raises:
        ValueError: when it is not as it was written.
        """
        told, seal = self._row(key, "told, told_seal")
        if seal != _seal(*key, told):
            raise ValueError("not as it was written")
        return _facts(told)

    def _row(self, key: Key, columns: str) -> Any:
        assert self._database is not None
        return self._database.execute(f"SELECT {columns} FROM results WHERE {_WHERE}", key).fetchone()

    def _finder(self, settings: Settings) -> Finder:
        if settings.src not in self._finders:
            self._finders[settings.src] = Finder(settings.src)
            self._finders[settings.src].open_file = lambda path, _: _File(path, self.contents)
        return self._finders[settings.src]

    def put(self, key: Key, facts: Facts, findings: Sequence[Finding]) -> None:
        """Keep what was found; written by :meth:`write`."""
        texts = json.dumps([*facts.asked.items()]), json.dumps([_row(finding) for finding in findings])
        told = json.dumps([*facts.told.items()])
        self._rows.append((*key, *texts, _seal(*key, *texts), told, _seal(*key, told), int(time.time()) // _DAY))

    def write(self) -> None:
        """Write what was put, all of it or nothing, and what was learned of contents on the way."""
        rows, self._rows = self._rows, []
        renewed, self._renewed = self._renewed, []
        if not rows and not renewed and (self._database is None or not self.contents.learned):
            return
        with contextlib.suppress(OSError, sqlite3.OperationalError, UnicodeError):
            try:
                self._write(rows, renewed)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise  # a full disk, another process: not the file's fault
                self.close()
                os.unlink(self._path)
                self._database = None
                self._write(rows, renewed)

    def _write(self, rows: Sequence[tuple[object, ...]], renewed: Sequence[tuple[str, ...]]) -> None:
        if self._database is None:
            _make(self._folder)
            self._database = self._opened()
        if self._database is None:
            return
        today = int(time.time()) // _DAY
        contents = [(*row, _seal(*map(str, row)), today) for row in self.contents.learned]
        with self._database:
            self._database.executemany(f"UPDATE results SET asked = ?, seal = ? WHERE {_WHERE}", renewed)
            for table, new in {"results": rows, "contents": contents}.items():
                values = ", ".join("?" * len(_COLUMNS[table]))
                self._database.executemany(f"REPLACE INTO {table} VALUES ({values})", new)
                self._database.execute(f"DELETE FROM {table} WHERE day < ?", (today - KEPT_DAYS,))

    def close(self) -> None:
        if self._database is not None:
            self._database.close()


def _connect(path: str) -> sqlite3.Connection:
    """Raises:
    sqlite3.DatabaseError: when the file is no cache of this format.
    """
    connection = sqlite3.connect(path, timeout=WAIT)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # what a power failure breaks is found anew
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with connection:
                for table, columns in _COLUMNS.items():
                    keyed = f"PRIMARY KEY ({_KEYS[table]})"
                    connection.execute(f"CREATE TABLE {table} ({', '.join(columns)}, {keyed}) WITHOUT ROWID")
        for table, columns in _COLUMNS.items():
            if tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})")) != columns:
                raise sqlite3.DatabaseError("not a table of ours")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    ignored = os.path.join(folder, ".gitignore")
    if not os.path.exists(ignored):
        with open(ignored, "w", encoding="utf-8") as file:
            file.write("# Made by mlxlint\n*\n")


class _File(File):
    """A file whose digest may be known without reading it."""

    def __init__(self, path: str, contents: Contents) -> None:
        super().__init__(path)
        self._contents = contents

    @cached_property
    def digest(self) -> str | None:
        try:
            return self._contents.of(self._path).digest
        except OSError:
            return None


class Memory:
    """The caches of the projects that a run's files are of. What is put into them is written when it is left."""

    def __init__(self) -> None:
        self._caches: dict[str | None, Cache] = {}

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        for cache in self._caches.values():
            cache.write()
            cache.close()

    def content(self, path: str, settings: Settings) -> Content:
        """What a file holds.

        Raises:
            OSError: when it cannot be read.
        """
        return self._cache(settings).contents.of(path)

    def recall(self, path: str, shown: str, text: str, settings: Settings) -> list[Finding] | None:
        """What is known to be found in a file with a text of that digest; None when that is not known."""
        return self._cache(settings).get(Key.of(path, text, settings), shown, settings)

    def keep(self, task: Task, outcome: Outcome) -> None:
        if outcome.facts is not None and task.path is not None:
            key = Key.of(task.path, digest(task.data), task.settings)
            self._cache(task.settings).put(key, outcome.facts, outcome.findings)

    def _cache(self, settings: Settings) -> Cache:
        if settings.root not in self._caches:
            self._caches[settings.root] = Cache(folder(settings))
        return self._caches[settings.root]


# Facts and findings as JSON


def _facts(text: str) -> Iterator[Fact]:
    return ((tuple(question), answer) for question, answer in json.loads(text))


def _row(finding: Finding) -> list[Any]:
    """A finding without the name of its file."""
    fix, repro = finding.fix, finding.repro
    return [
        finding.code, finding.name, finding.message, finding.severity, finding.confidence, finding.kind,
        _place(finding.start), _place(finding.end), finding.offsets, finding.statement,
        [[reason.text, _place(reason.position)] for reason in finding.reasons],
        fix and [fix.title, fix.applicability, [[edit.start, edit.end, edit.content] for edit in fix.edits]],
        finding.url, None if repro is None else dict(repro), finding.cell,
    ]  # fmt: skip


def _place(position: Position | None) -> tuple[int, int] | None:
    return None if position is None else (position.row, position.column)


def _finding(row: list[Any], path: str) -> Finding:
    code, name, message, severity, confidence, kind, start, end, offsets, rows, reasons, fix, url, repro, cell = row
    return Finding(
        code, name, message, path, Severity(severity), Confidence(confidence), Kind(kind),
        Position(*start), Position(*end), tuple(offsets), tuple(rows),
        tuple(Reason(text, position and Position(*position)) for text, position in reasons),
        fix and Fix(fix[0], Applicability(fix[1]), tuple(Edit(*edit) for edit in fix[2])),
        url, None if repro is None else {name: _literal(value) for name, value in repro.items()}, cell,
    )  # fmt: skip


def _literal(value: Any) -> Any:
    return tuple(map(_literal, value)) if isinstance(value, list) else value
