"""Which files are checked: named ones, and those found in folders by globs, ``.gitignore`` and excludes."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlxlint.config import ConfigError, Configuration, Globs, Settings, is_glob, shown


@dataclass(frozen=True, eq=False)
class File:
    """A file to check, by its absolute path. ``named``: it was named on the command line rather than found."""

    path: str
    settings: Settings
    named: bool = False

    @property
    def shown(self) -> str:
        return shown(self.path)


@dataclass
class Found:
    """What a search found: files in order of path, and a line for each thing that could not be searched."""

    files: list[File] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def problem(path: str, error: OSError) -> str:
    return f"{shown(path)}: {error.strerror or error}"


def collect(paths: Sequence[str], configuration: Configuration) -> Found:
    """The files that paths stand for, each once however it was reached."""
    search = _Search(configuration)
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        search.named(path)
    files = sorted(search.files.values(), key=lambda file: file.path.split(os.sep))
    return Found(files, list(dict.fromkeys(search.problems)))


class _Search:
    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.files: dict[str, File] = {}
        self.problems: list[str] = []

    def _add(self, path: str, real: str, settings: Settings, *, named: bool = False) -> None:
        if real not in self.files or (named and not self.files[real].named):
            self.files[real] = File(path, settings, named)

    def _settings(self, folder: str) -> Settings | None:
        try:
            return self._configuration.settings(folder)
        except ConfigError as error:
            self.problems.append(str(error))
            return None

    def named(self, path: str) -> None:
        try:
            directory = os.path.isdir(path)
            os.stat(path)
        except OSError as error:
            self.problems.append(problem(path, error))
            return
        settings = self._settings(path if directory else os.path.dirname(path))
        if settings is None or settings.excludes(path, directory):
            return
        if not directory:
            self._add(path, os.path.realpath(path), settings, named=True)
            return
        ignores = _ignores_above(path)
        if any(globs.match(path, directory=True) for globs in ignores):
            ignores = ()  # asked for by name, although git ignores it
        self._walk(path, ignores)

    def _walk(self, top: str, ignores: tuple[Globs, ...]) -> None:
        folders = [(top, os.path.realpath(top), ignores)]
        while folders:
            folder, real, ignores = folders.pop()
            settings = self._settings(folder)
            if settings is None:
                continue
            try:
                with os.scandir(folder) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except OSError as error:
                self.problems.append(problem(folder, error))
                continue
            names = {entry.name for entry in entries}
            if folder != top and "pyvenv.cfg" in names:
                continue
            if settings.value("respect-gitignore"):
                ignores = _ignores_in(folder, names, ignores)
            for name in self._enter(entries, real, settings, ignores):
                folders.append((os.path.join(folder, name), os.path.join(real, name), ignores))

    def _enter(
        self, entries: list[os.DirEntry[str]], real: str, settings: Settings, ignores: tuple[Globs, ...]
    ) -> Iterator[str]:
        """Adds a folder's files and yields the folders in it. Links to folders are not followed, so no loop is."""
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in settings.default_excludes and not _left_out(entry.path, True, settings, ignores):
                    yield entry.name
            elif settings.includes(entry.name) and not _left_out(entry.path, False, settings, ignores):
                try:
                    if entry.is_file():
                        self._add(entry.path, _real_path(entry, real), settings)
                except OSError as error:
                    self.problems.append(problem(entry.path, error))


def _real_path(entry: os.DirEntry[str], folder: str) -> str:
    return os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(folder, entry.name)


def _left_out(path: str, directory: bool, settings: Settings, ignores: tuple[Globs, ...]) -> bool:
    if settings.excludes(path, directory):
        return True
    verdicts = (globs.verdict(path, directory) for globs in reversed(ignores))
    return bool(next((verdict for verdict in verdicts if verdict is not None), False))


def _ignores_in(folder: str, names: set[str], ignores: tuple[Globs, ...]) -> tuple[Globs, ...]:
    """The ignore files that hold below a folder, the strongest last. A repository starts afresh, as in git."""
    if ".git" in names:
        ignores = _patterns(folder, os.path.join(folder, ".git", "info", "exclude"))
    if ".gitignore" in names:
        ignores += _patterns(folder, os.path.join(folder, ".gitignore"))
    return ignores


def _ignores_above(folder: str) -> tuple[Globs, ...]:
    """The ignore files that hold for a folder from those above it, as far up as its repository."""
    above = []
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()
        folder = parent
        above.append(folder)
    ignores: tuple[Globs, ...] = ()
    for parent in reversed(above):
        names = {name for name in (".git", ".gitignore") if os.path.exists(os.path.join(parent, name))}
        ignores = _ignores_in(parent, names, ignores)
    return ignores


def _patterns(base: str, path: str) -> tuple[Globs, ...]:
    """The patterns of an ignore file; none when it cannot be read, as for git."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return (Globs(base, tuple(filter(is_glob, file.read().splitlines()))),)
    except OSError:
        return ()


def write_whole(path: str, data: bytes) -> None:
    """Write a file so that it is at no time half-written; permissions and links are kept.

    Raises:
        OSError: when it cannot be written; the old content stands.
    """
    import shutil
    import tempfile

    path = os.path.realpath(path)
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    if os.path.exists(path) and not os.path.isfile(path):  # a device or a pipe
        with open(path, "wb") as file:
            file.write(data)
        return
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "wb") as whole:
            whole.write(data)
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        else:
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
