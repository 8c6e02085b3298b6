"""The settings for each file: what the client sent for its folder, over the nearest config file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlxlint.baseline import Baseline, BaselineError
from mlxlint.config import (
    FILE_NAMES,
    KEYS,
    ConfigError,
    Configuration,
    Key,
    Settings,
    choice,
    did_you_mean,
    flag,
    text,
)

SETTLING = (*FILE_NAMES, "setup.cfg", "requirements.txt")  # files in which settings or required releases are found
_CAPITAL = re.compile("[A-Z]")
_TOML_ROW = re.compile(r"\(at line (\d+)")
_KEY = re.compile(r"`([\w-]+)`")

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class ClientSettings:
    """What a client says: keys of its own, and those of the config file (``options``), which win over it."""

    enable: bool = True
    run: str = "onType"  # or "onSave"
    diagnostic_mode: str = "openFilesOnly"  # or "workspace"
    interpreter: str | None = None  # the Python that has the MLX on which findings are verified
    configuration_file: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


OWN: dict[str, Key] = {
    "enable": flag("Check the files of this folder.", True),
    "run": choice(("onType", "onSave"), "When files are checked.", "onType"),
    "diagnosticMode": choice(
        ("openFilesOnly", "workspace"),
        "Whether the whole workspace is checked when the session begins.",
        "openFilesOnly",
    ),
    "interpreter": text("path", "The Python whose MLX verifies findings."),
    "configurationFile": text("path", "The config file for the folder, in place of the nearest."),
}


def section(value: object) -> object:
    """The settings in what a client sent: as a whole, or below a key or two, as editors differ in that.

    Sections beside them are those of other servers: an editor that starts this one in another's place sends that one's.
    """
    if isinstance(value, Mapping) and "settings" in value:
        value = value["settings"]
    if not isinstance(value, Mapping):
        return value
    if "mlxlint" in value:
        return value["mlxlint"]
    return {key: item for key, item in value.items() if not isinstance(item, Mapping) or _kebab(str(key)) in KEYS}


def parse(value: object) -> tuple[ClientSettings, list[str]]:
    """The settings a client sent, and a line for each that cannot be used."""
    own: dict[str, object] = {}
    options: dict[str, object] = {}
    problems = []
    for key, item in value.items() if isinstance(value, Mapping) else ():
        name = _kebab(str(key))
        if item is None:
            continue
        try:
            if key in OWN:
                own[name.replace("-", "_")] = OWN[key].parse(_path(item) if key == "interpreter" else item)
            elif name in KEYS:
                options[name] = KEYS[name].parse(item)
            else:
                problems.append(f"unknown setting `{key}`{did_you_mean(name, [*KEYS, *OWN])}")
        except ValueError as error:
            problems.append(f"setting `{key}`: {error}")
    return ClientSettings(**own, options=options), problems  # type: ignore[arg-type]


def _kebab(key: str) -> str:
    return _CAPITAL.sub(lambda match: "-" + match[0].lower(), key)


def _path(item: object) -> object:
    """A program, which some clients give as a command line."""
    return item[0] if isinstance(item, list) and item else item


@dataclass(frozen=True)
class Problem:
    """A config file that cannot be used: where, from row 1, and why."""

    path: str
    row: int
    message: str


class Folder:
    """One folder of the workspace, or (no ``path``) all that is in none."""

    def __init__(self, path: str | None, client: ClientSettings) -> None:
        self.path = path
        self.client = client
        self._configuration: Configuration | None = None
        self._stamps: dict[str, Stamp] = {}
        self._named: set[str] = set()  # config files that the client or other config files name
        self._config: str | None = None
        if (config := client.configuration_file) is not None:
            self._config = self._absolute(config)
            self._named.add(self._config)
        self._good: dict[str, Settings] = {}
        self._baselines: dict[str, tuple[Stamp, Baseline | None]] = {}
        self.problems: dict[str, Problem] = {}

    def _absolute(self, path: str) -> str:
        return os.path.abspath(os.path.join(self.path or "", os.path.expanduser(path)))

    @property
    def interpreter(self) -> str | None:
        """The Python that verifies findings: its path, or the name it is found by."""
        given = self.client.interpreter
        return self._absolute(given) if given and os.path.dirname(given) else given

    def baseline(self, settings: Settings) -> Baseline | None:
        """The findings on record. None where there are none to be had, and a problem where there should be."""
        path = settings.path("baseline")
        if path is None:
            return None
        stamp = tuple(_stamps_of([path]))
        if path not in self._baselines or self._baselines[path][0] != stamp:
            self._baselines[path] = stamp, self._read_baseline(path)
        return self._baselines[path][1]

    def _read_baseline(self, path: str) -> Baseline | None:
        try:
            baseline = Baseline.read(path)
        except BaselineError as error:
            self.problems[path] = Problem(path, 1, str(error))
            return None
        self.problems.pop(path, None)
        return baseline

    def settings(self, path: str | None) -> Settings:
        """The settings for a file. Where its config file cannot be used, the last good ones, and a problem."""
        folder = os.path.dirname(path) if path else self.path or os.getcwd()
        stamp = tuple(_stamps(folder, self._named))
        if self._stamps.setdefault(folder, stamp) != stamp:
            self._configuration, self._stamps = None, {folder: stamp}
        try:
            settings = self.configuration().settings(folder)
        except ConfigError as error:
            at = error.path or self._config or os.path.join(folder, FILE_NAMES[-1])
            self._named.add(at)
            self.problems[folder] = Problem(at, _row(at, str(error)), str(error))
            return self._good.get(folder) or Configuration(isolated=True).default
        self.problems.pop(folder, None)
        self._named.update(os.path.abspath(layer.origin) for layer in settings.layers if layer.origin is not None)
        self._good[folder] = settings
        return settings

    def configuration(self) -> Configuration:
        """What finds the settings, as the client and the files of the folder have them now.

        Raises:
        ConfigError: when the client names a config file that cannot be used.
        """
        if self._configuration is None:
            self._configuration = Configuration(self.client.options, config=self._config, base=self.path)
        return self._configuration


def _stamps(folder: str, named: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """The times and sizes of all files that settings for a folder may come from."""
    folders = [folder]
    while (parent := os.path.dirname(folders[-1])) != folders[-1]:
        folders.append(parent)
    return _stamps_of([*sorted(named), *(os.path.join(each, name) for each in folders for name in SETTLING)])


def _stamps_of(paths: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            continue
        yield path, found.st_mtime_ns, found.st_size


def _row(path: str, message: str) -> int:
    """The row of a config file that a message is about; the first when that is not known."""
    if found := _TOML_ROW.search(message):
        return int(found[1])
    key = _KEY.search(message)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = file.read().splitlines()
    except OSError:
        return 1
    names = rf"[\"']?{re.escape(key[1])}\b" if key else r"\[tool\.mlxlint"
    wanted = re.compile(rf"\s*(?:{names}|\[tool\.mlxlint\.{key[1] if key else ''})")
    return next((row for row, line in enumerate(rows, 1) if wanted.match(line)), 1)


class Folders:
    """The folders of the workspace. A file belongs to the innermost."""

    def __init__(self) -> None:
        self._folders: dict[str, Folder] = {}
        self._outside = Folder(None, ClientSettings())

    def __iter__(self) -> Iterator[Folder]:
        yield from self._folders.values()

    def add(self, path: str, client: ClientSettings) -> None:
        self._folders[path] = Folder(path, client)

    def remove(self, path: str) -> None:
        self._folders.pop(path, None)

    def set_default(self, client: ClientSettings) -> None:
        self._outside = Folder(None, client)

    @property
    def outside(self) -> Folder:
        """All that is in no folder."""
        return self._outside

    def of(self, path: str | None) -> Folder:
        around = [f for p, f in self._folders.items() if path and path.startswith(os.path.join(p, ""))]
        return max(around, key=lambda folder: len(folder.path or ""), default=self._outside)

    @property
    def problems(self) -> list[Problem]:
        found = (folder.problems.values() for folder in (*self._folders.values(), self._outside))
        return list({problem.path: problem for problems in found for problem in problems}.values())
