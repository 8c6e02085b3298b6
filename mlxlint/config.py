"""Configuration: the nearest config file and the command line, resolved to one :class:`Settings` a folder."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from mlxlint import registry
from mlxlint.rule import Confidence, Severity
from mlxlint.target import declared, required

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILE_NAMES = (".mlxlint.toml", "mlxlint.toml", "pyproject.toml")  # in order of precedence within a folder
_SUFFIX = re.compile(r"\*\.\w+")  # a pattern that names nothing but how a name ends
ALWAYS = frozenset({"MLX001", "MLX002"})  # what could not be checked is told whatever is selected
DEFAULT_EXCLUDES = frozenset({
    ".bzr", ".direnv", ".eggs", ".git", ".hg", ".ipynb_checkpoints", ".mlxlint_cache", ".mypy_cache", ".nox",
    ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv", ".vscode", "__pycache__", "__pypackages__", "build",
    "dist", "node_modules", "site-packages", "venv",
})  # fmt: skip


class ConfigError(Exception):
    """A config file or option that cannot be used; the message is one line that names it and says why. ``path`` is the
    file, when it is one.
    """

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.path = path


def shown(path: str) -> str:
    """A path as messages and reports name it: relative when it lies in the working folder."""
    here = os.path.join(os.getcwd(), "")
    return path[len(here) :] if path.startswith(here) else path


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """A clause naming the nearest known word, or ""."""
    import difflib

    near = difflib.get_close_matches(text, list(known), n=9)
    if not near:
        return ""

    def likeness(word: str) -> tuple[float, int]:
        same_start = next((i for i, (ours, theirs) in enumerate(zip(word, text)) if ours != theirs), len(word))
        return difflib.SequenceMatcher(None, text, word).ratio(), same_start

    return f" (did you mean `{max(near, key=likeness)}`?)"


@dataclass(frozen=True)
class Globs:
    """Patterns as in ``.gitignore``, relative to the folder of the file they stand in."""

    base: str
    patterns: tuple[str, ...]

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        from pathspec import GitIgnoreSpec

        return GitIgnoreSpec.from_lines(self.patterns)

    def verdict(self, path: str, directory: bool = False) -> bool | None:
        """True: matched, False: matched by a ``!pattern``, None: not matched."""
        below = os.path.join(self.base, "")
        relative = path[len(below) :] if path.startswith(below) else path.lstrip(os.sep)
        return self._spec.check_file(relative.replace(os.sep, "/") + "/" * directory).include

    def match(self, path: str, directory: bool = False) -> bool:
        return bool(self.verdict(path, directory))


def is_glob(text: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([text])
    except ValueError:
        return False
    return True


@cache
def codes_of(selector: str) -> frozenset[str]:
    """The rule codes that ``ALL``, a code, a prefix of codes, a name or an alias stands for.

    Raises:
        ValueError: when it stands for none.
    """
    codes = registry.rules()
    if selector.upper() == "ALL":
        return frozenset(codes)
    if code := registry.code_of(selector):
        return frozenset({code})
    if selector and (found := frozenset(code for code in codes if code.startswith(selector.upper()))):
        return found
    raise ValueError(f"unknown rule `{selector}`{suggest_rule(selector)}")


def suggest_rule(text: str) -> str:
    return did_you_mean(text.upper(), registry.rules()) or did_you_mean(text.lower(), registry.by_name())


def _specificity(selector: str) -> int:
    if selector.upper() == "ALL":
        return 0
    return sys.maxsize if registry.code_of(selector) else len(selector)


def _expected(what: str, value: object) -> ValueError:
    return ValueError(f"expected {what}, not {value!r}")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _expected("a string", value)
    return value


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _expected("a list of strings", value)
    return tuple(value)


def _globs(value: object) -> tuple[str, ...]:
    globs = _strings(value)
    for glob in globs:
        if not is_glob(glob):
            raise _expected("a pattern as in .gitignore", glob)
    return globs


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _expected("a whole number from 1", value)
    return value


def _target(package: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        from mlxlint.target import target

        if not isinstance(value, str):
            raise _expected('a version such as "0.31" or a range such as ">=0.30,<0.32"', value)
        target(package, value)
        return value

    return parse


def _selectors(value: object) -> tuple[str, ...]:
    selectors = _strings(value)
    for selector in selectors:
        codes_of(selector)
    return selectors


def _one_of(*words: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        if value not in words:
            raise _expected(" or ".join(map(repr, words)), value)
        return str(value)

    return parse


def _format(value: object) -> str:
    from mlxlint.report import FORMATS

    return _one_of(*FORMATS)(value)


def _table(parse: Callable[[object], Any]) -> Callable[[object], dict[str, Any]]:
    def parse_table(value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _expected("a table", value)
        return {key: parse(item) for key, item in value.items()}

    return parse_table


def _per_file(value: object) -> dict[str, Any]:
    table = _table(_selectors)(value)
    _globs(list(table))
    return table


def _severities(value: object) -> dict[str, Any]:
    table = _table(_one_of(*_SEVERITIES))(value)
    _selectors(list(table))
    return table


Schema = Mapping[str, object]
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


def _words(words: Sequence[str]) -> Schema:
    return {**_TEXT, "enum": [*words]}


def _values(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


@dataclass(frozen=True)
class Key:
    """One setting: what it takes in words and as JSON Schema, and what it means."""

    type: str
    schema: Schema
    parse: Callable[[object], Any]
    doc: str
    default: Any = None


def choice(words: Sequence[str], doc: str, default: str) -> Key:
    """A key that takes one of some words."""
    *others, last = words
    return Key(f"{', '.join(others)} or {last}", _words(words), _one_of(*words), doc, default)


def flag(doc: str, default: bool) -> Key:
    return Key("true or false", {"type": "boolean"}, _flag, doc, default)


def text(type: str, doc: str) -> Key:
    return Key(type, _TEXT, _string, doc)


def _rules(doc: str, default: tuple[str, ...] = ()) -> Key:
    return Key("list of rules", _TEXTS, _selectors, doc, default)


def _patterns(doc: str, default: tuple[str, ...] = ()) -> Key:
    return Key("list of globs", _TEXTS, _globs, doc, default)


_SEVERITIES = tuple(severity.value for severity in Severity)

KEYS: dict[str, Key] = {
    "extend": text("path", "A config file to start from; the keys here win over its keys."),
    "select": _rules("Rules to report: codes, prefixes of codes, names, or `ALL`.", ("ALL",)),
    "extend-select": _rules("Rules to report beside those of `select`."),
    "ignore": _rules("Rules not to report. The more specific of two entries wins."),
    "per-file-ignores": Key(
        "table of glob to list of rules",
        _values(_TEXTS),
        _per_file,
        "Rules not to report in the files of a pattern.",
        {},
    ),
    "severity": Key(
        "table of rule to severity",
        _values(_words(_SEVERITIES)),
        _severities,
        "Severities other than the rules' own.",
        {},
    ),
    "min-confidence": choice(("certain", "likely", "possible"), "How sure a finding must be to be reported.", "likely"),
    "fail-on": choice(_SEVERITIES, "The least severity of a finding that makes the exit code 1.", "warning"),
    "target-mlx": Key(
        "version or range",
        _TEXT,
        _target("mlx"),
        'The MLX releases the code is for: `"0.31"`, `">=0.30,<0.32"`. What holds on any of them is reported; of a'
        " lower bound alone, on the newest. By default what the project requires in `pyproject.toml`, `setup.cfg` or"
        " `requirements.txt`, else the newest.",
    ),
    "target-mlx-lm": Key("version or range", _TEXT, _target("mlx-lm"), "The same for MLX-LM."),
    "include": _patterns("Files to find in a folder.", ("*.py", "*.pyi", "*.ipynb")),
    "exclude": _patterns(
        "Files and folders to leave out, in place of the usual ones (`.venv`, `build`, `node_modules`, ...). Patterns"
        " are as in `.gitignore`, relative to the config file, and hold for files named on the command line too.",
        tuple(sorted(DEFAULT_EXCLUDES)),
    ),
    "extend-exclude": _patterns("Files and folders to leave out beside those of `exclude`."),
    "respect-gitignore": flag("Leave out what git ignores when searching a folder.", True),
    "src": Key("list of folders", _TEXTS, _strings, "Where the project's own modules are found.", (".", "src")),
    "baseline": text("path", "A baseline: findings recorded in it are not reported."),
    "output-format": Key("format", _TEXT, _format, "How findings are reported.", "text"),
    "statistics": flag("Add a count by rule.", False),
    "verify": flag("Run each finding's reproduction on the MLX installed.", False),
    "device": choice(("auto", "metal", "cuda", "cpu"), "Where to verify.", "auto"),
    "jobs": Key(
        "whole number", {"type": "integer", "minimum": 1}, _count, "Worker processes; by default one a processor."
    ),
}


@dataclass(frozen=True)
class Layer:
    """What one config file, or the command line (no ``origin``), says. Globs and paths are relative to ``base``."""

    origin: str | None
    base: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, origin: str | None, base: str, table: Mapping[str, object]) -> Layer:
        """Raises:
        ConfigError: for an unknown key or a value that does not fit.
        """
        values = {}
        for key, value in table.items():
            if key not in KEYS:
                raise ConfigError(f"{origin}: unknown key `{key}`{did_you_mean(key, KEYS)}")
            try:
                values[key] = KEYS[key].parse(value)
            except ValueError as error:
                where = f"{origin}: `{key}`" if origin else f"--{key}"
                raise ConfigError(f"{where}: {error}") from None
        return cls(origin, base, values)

    def choose(self, chosen: frozenset[str]) -> frozenset[str]:
        """The codes selected after this layer, of those selected before it. The more specific selector wins."""
        codes = set(ALWAYS if "select" in self.values else chosen)
        steps = [
            (_specificity(selector), key == "ignore", selector)
            for key in ("select", "extend-select", "ignore")
            for selector in self.values.get(key, ())
        ]
        for _, ignored, selector in sorted(steps):
            codes = codes - codes_of(selector) if ignored else codes | codes_of(selector)
        return frozenset(codes)


@dataclass(frozen=True)
class Settings:
    """What the files of one config file are checked with: layers, the last (the command line) strongest."""

    layers: tuple[Layer, ...] = field(hash=False)
    file: str | None = None
    declared: Mapping[str, str] = field(default_factory=dict, hash=False)  # by the project, in place of defaults

    def value(self, key: str) -> Any:
        for layer in reversed(self.layers):
            if key in layer.values:
                return layer.values[key]
        return self.declared.get(key, KEYS[key].default)

    def _globs(self, key: str) -> tuple[Globs, ...]:
        return tuple(Globs(layer.base, layer.values[key]) for layer in self.layers if key in layer.values)

    def path(self, key: str) -> str | None:
        """A path, made absolute against the file it stands in."""
        for layer in reversed(self.layers):
            if key in layer.values:
                return os.path.normpath(os.path.join(layer.base, layer.values[key]))
        return None

    @property
    def root(self) -> str | None:
        """The config file's folder."""
        return self.file and os.path.dirname(self.file)

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of the rules to report."""
        chosen = frozenset(registry.rules())
        for layer in self.layers:
            chosen = layer.choose(chosen)
        return chosen

    @cached_property
    def _per_file_ignores(self) -> tuple[tuple[Globs, frozenset[str]], ...]:
        key = "per-file-ignores"
        layer = next((layer for layer in reversed(self.layers) if key in layer.values), Layer(None, "", {key: {}}))
        return tuple(
            (Globs(layer.base, (glob,)), frozenset().union(*map(codes_of, selectors)))
            for glob, selectors in layer.values[key].items()
        )

    def codes_for(self, path: str) -> frozenset[str]:
        """The codes of the rules to report in one file."""
        return self.codes.difference(*(codes for glob, codes in self._per_file_ignores if glob.match(path)))

    @cached_property
    def severity(self) -> dict[str, Severity]:
        """The overridden severities by code."""
        table = sorted(self.value("severity").items(), key=lambda item: _specificity(item[0]))
        return {code: Severity(severity) for selector, severity in table for code in codes_of(selector)}

    @property
    def min_confidence(self) -> Confidence:
        return Confidence(self.value("min-confidence"))

    @property
    def fail_on(self) -> Severity:
        return Severity(self.value("fail-on"))

    @cached_property
    def _include(self) -> Globs | tuple[str, ...]:
        patterns = self.value("include")
        if all(_SUFFIX.fullmatch(pattern) for pattern in patterns):
            return tuple(pattern[1:] for pattern in patterns)
        return Globs("", patterns)

    def includes(self, name: str) -> bool:
        """Whether a file found in a folder is one to check, by its name."""
        include = self._include
        return name.endswith(include) if isinstance(include, tuple) else include.match(name)

    @cached_property
    def _exclude(self) -> tuple[Globs, ...]:
        return self._globs("exclude")[-1:] + self._globs("extend-exclude")

    @property
    def default_excludes(self) -> frozenset[str]:
        """Names of folders that a search does not enter; one named on the command line is searched nevertheless."""
        return frozenset() if self._globs("exclude") else DEFAULT_EXCLUDES

    def excludes(self, path: str, directory: bool = False) -> bool:
        """Whether the config leaves a path out, also when it was named on the command line."""
        return any(globs.match(path, directory) for globs in self._exclude)

    @cached_property
    def src(self) -> tuple[str, ...]:
        """The folders in which the project's modules are found; none without a config file."""
        base = next((layer.base for layer in reversed(self.layers) if "src" in layer.values), self.root)
        return tuple(os.path.normpath(os.path.join(base, folder)) for folder in self.value("src")) if base else ()

    def describe(self) -> str:
        """Every setting, one a line, for ``--show-settings``."""
        rows = [f"{key} = {_written(self.value(key))}" for key in KEYS if key != "extend"]
        rows.append("enabled = " + _written([f"{code} {registry.name_of(code)}" for code in sorted(self.codes)]))
        return "\n".join([f"# {shown(self.file) if self.file else 'no config file'}", *rows])


def _written(value: object) -> str:
    """A value as JSON, which TOML reads too but for tables and null; those are for reading only."""
    import json

    return json.dumps(value)


def _section(path: str) -> dict[str, Any] | None:
    """The config in a file; None when a ``pyproject.toml`` has none."""
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        with open(path, "rb") as file:
            data = file.read()
        if os.path.basename(path) != "pyproject.toml":
            return dict(toml.loads(data.decode()))
        if b"mlxlint" not in data:
            return None
        section = toml.loads(data.decode()).get("tool", {}).get("mlxlint")
    except OSError as error:
        raise ConfigError(f"{shown(path)}: {error.strerror}", path) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown(path)}: not UTF-8", path) from None
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"{shown(path)}: invalid TOML: {error}", path) from None
    if not isinstance(section, (dict, type(None))):
        raise ConfigError(f"{shown(path)}: `tool.mlxlint` is not a table", path)
    return section


def _layers(path: str, base: str, before: tuple[str, ...] = ()) -> tuple[Layer, ...]:
    """The layers of a config file: those of the file it extends, then its own."""
    if path in before:
        raise ConfigError(f"{shown(path)}: `extend` leads back to this file", path)
    section = _section(path)
    if section is None:
        raise ConfigError(f"{shown(path)}: no [tool.mlxlint] section", path)
    try:
        layer = Layer.parse(shown(path), base, section)
    except ConfigError as error:
        raise ConfigError(str(error), path) from None
    if "extend" not in layer.values:
        return (layer,)
    extended = os.path.normpath(os.path.join(os.path.dirname(path), os.path.expanduser(layer.values["extend"])))
    return (*_layers(extended, os.path.dirname(extended), (*before, path)), layer)


class Configuration:
    """Finds the settings for each folder: those of ``config`` for all, or of the nearest config file. Paths in options
    are relative to ``base`` (default: the working folder).

    Raises:
        ConfigError: when an option or the file named by ``config`` cannot be used.
    """

    def __init__(
        self,
        options: Mapping[str, object] | None = None,
        *,
        config: str | None = None,
        isolated: bool = False,
        base: str | None = None,
    ) -> None:
        here = base or os.getcwd()
        self._command_line = Layer.parse(None, here, options or {})
        self.default = Settings((self._command_line,))
        self._by_folder: dict[str, Settings | ConfigError] = {}
        self._fixed: Settings | None = self.default if isolated else None
        if config is not None:
            path = os.path.abspath(config)
            self._fixed = Settings((*_layers(path, here), self._command_line), path, required(os.path.dirname(path)))

    def settings(self, folder: str) -> Settings:
        """The settings for the files of a folder, given by its absolute path.

        Raises:
            ConfigError: when the nearest config file cannot be used.
        """
        if self._fixed is not None:
            return self._fixed
        found = self._by_folder.get(folder)
        if found is None:
            try:
                found = self._find(folder)
            except ConfigError as error:
                found = error
            self._by_folder[folder] = found
        if isinstance(found, ConfigError):
            raise found
        return found

    def _find(self, folder: str) -> Settings:
        for name in FILE_NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and (name != "pyproject.toml" or _section(path) is not None):
                return Settings((*_layers(path, folder), self._command_line), path, required(folder))
        parent = os.path.dirname(folder)
        above = self.default if parent == folder else self.settings(parent)
        own = declared(folder)
        return replace(above, declared=own) if own else above
