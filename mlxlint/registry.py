"""Codes and names to rules: the built-in ones and those of installed rule packs, through one entry-point group.

A rule is imported when it is asked for. What rules there are is told by an index, which is to the rules what byte code
is to a module: written when first needed, and anew when a file of the tool or of a pack has changed. It stands in the
user's cache and not beside the rules: an uninstallation would leave it, and a folder to be taken for the package.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from mlxlint.rule import Rule

GROUP = "mlxlint.rules"
BUILT_IN = "mlxlint.rules"
_HERE = os.path.dirname(os.path.abspath(__file__))
_USER_CACHES = {"win32": "~/AppData/Local", "darwin": "~/Library/Caches"}


class BrokenRulePack(Exception):
    """A rule pack cannot be imported or its rules clash; the argument says which and why."""


Triggers = dict[str, "list[str] | None"]  # by the name of a LibCST class: the keys that are wanted, None: all


class Entry(NamedTuple):
    """Where one rule is defined, what it is called, and what it wants to see."""

    module: str
    cls: str
    name: str
    aliases: tuple[str, ...]
    triggers: Triggers


class Index(NamedTuple):
    """What rules there are, by code, and a digest of all that their findings follow from beside the linted code."""

    entries: dict[str, Entry]
    digest: str


class Rules(Mapping[str, "Rule"]):
    """Rules by code or name, each imported when it is taken out."""

    def __init__(self, codes: Mapping[str, str]) -> None:
        self._codes = codes

    def __getitem__(self, key: str) -> Rule:
        return _load(self._codes[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, key: object) -> bool:
        return key in self._codes


@cache
def rules() -> Mapping[str, Rule]:
    """All rules by code, in order of code.

    Raises:
        BrokenRulePack: when a pack fails to import or two rules share a code or a name.
    """
    return Rules({code: code for code in _index().entries})


@cache
def by_name() -> Mapping[str, Rule]:
    """Rules by name and by alias."""
    entries = _index().entries.items()
    return Rules({key: code for code, entry in entries for key in (entry.name, *entry.aliases)})


@cache
def code_of(text: str) -> str | None:
    """The code of the rule that a code, name or alias stands for, in any case."""
    if text.upper() in _index().entries:
        return text.upper()
    return next((code for code, e in _index().entries.items() if text.lower() in (e.name, *e.aliases)), None)


def name_of(code: str) -> str:
    return _index().entries[code].name


class Unloaded:
    """Stands for a rule in an analysis: it is imported when there is something for it to see."""

    def __init__(self, code: str) -> None:
        self.code = code

    def triggers(self) -> Triggers:
        return _index().entries[self.code].triggers

    def __getattr__(self, name: str) -> Any:
        value = getattr(_load(self.code), name)
        setattr(self, name, value)  # not to be asked for again
        return value


def unloaded(codes: Container[str]) -> list[Rule]:
    """Stand-ins for the rules of some codes."""
    return [cast("Rule", Unloaded(code)) for code in _index().entries if code in codes]


def find(text: str) -> Rule | None:
    """The rule of a code, name or alias, in any case."""
    code = code_of(text)
    return None if code is None else _load(code)


def digest() -> str:
    """Of the tool, its data and all rules: while it is the same, so is what they find in the same code."""
    return _index().digest


@cache
def _load(code: str) -> Rule:
    entry = _index().entries[code]
    with _blaming(entry.module):
        rule: Rule = getattr(importlib.import_module(entry.module), entry.cls)()
    return rule


class _blaming:  # noqa: N801 - reads as a verb
    """Turns whatever a pack raises into the error that names the pack."""

    def __init__(self, pack: str) -> None:
        self._pack = pack

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, BrokenRulePack):
            what = f"{type(error).__name__}: {error}"
            raise BrokenRulePack(f"rule pack `{self._pack}` cannot be loaded: {what}") from error


# The index


@cache
def _index() -> Index:
    path = _place()
    try:
        with open(path or "", encoding="utf-8") as file:
            stored = json.load(file)
        if stored["stamp"] == _stamp(stored["folders"]):
            return Index({code: Entry(*entry) for code, entry in stored["entries"].items()}, stored["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or none that can be used
    packs = _packs()
    folders = [_HERE, *dict.fromkeys(folder for pack in packs for folder in _folders(pack))]
    stamp = _stamp(folders)
    index = Index(_entries(packs), _digest(folders))
    if path is not None and not sys.dont_write_bytecode:
        _write(path, {"stamp": stamp, "folders": folders, "digest": index.digest, "entries": index.entries})
    return index


def _place() -> str | None:
    """The index of this installation, for this version of Python; None where the user has no place for it.

    That is so without a home. A relative path would lead into the folder that is linted, which is not trusted.
    """
    kept = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(_USER_CACHES.get(sys.platform, "~/.cache"))
    if not os.path.isabs(kept):
        return None
    installation = blake2b(os.fsencode(_HERE), digest_size=8).hexdigest()
    return os.path.join(kept, "mlxlint", f"rules-{installation}.{sys.implementation.cache_tag}.json")


def _write(path: str, data: Mapping[str, object]) -> None:
    from contextlib import suppress

    from mlxlint.files import write_whole

    with suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, json.dumps(data).encode())


def _stamp(folders: Iterable[str]) -> str:
    """What tells cheaply whether the index still holds: the files' times and sizes, and what is installed."""
    installed = [(path, os.stat(path).st_mtime_ns) for path in _search_path()]
    files = [(name, file.st_mtime_ns, file.st_size) for name, file in _files(folders)]
    return blake2b(repr((installed, files)).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _search_path() -> list[str]:
    """Where installed packs are looked for: not in the working folder or beside a script, which come first."""
    return [path for path in sys.path[1:] if os.path.isdir(path)]


def _files(folders: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    pending = list(folders)
    while pending:
        with os.scandir(pending.pop()) as scan:
            for entry in sorted(scan, key=lambda entry: entry.name):
                if entry.is_dir() and entry.name != "__pycache__":
                    pending.append(entry.path)
                elif entry.is_file():
                    yield entry.path, entry.stat()


def _digest(folders: Iterable[str]) -> str:
    from importlib.metadata import version

    whole = blake2b(repr((sys.version_info[:2], version("libcst"))).encode(), digest_size=16)
    for folder in folders:
        for name, _ in _files([folder]):
            with open(name, "rb") as file:
                whole.update(os.fsencode(os.path.relpath(name, folder)) + blake2b(file.read()).digest())
    return whole.hexdigest()


def _packs() -> list[str]:
    from importlib.metadata import distributions

    found = {BUILT_IN}
    for distribution in distributions(path=_search_path()):
        found |= {point.value for point in distribution.entry_points if point.group == GROUP}
    return sorted(found)


def _folders(pack: str) -> list[str]:
    with _blaming(pack):
        return [os.path.abspath(folder) for folder in importlib.import_module(pack).__path__]


def _entries(packs: Iterable[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    names: dict[str, Entry] = {}
    for pack in packs:
        with _blaming(pack):
            classes = rules_in(pack)
        for cls in classes:
            entry = Entry(cls.__module__, cls.__qualname__, cls.name, cls.aliases, cls.triggers())
            for key in (entry.name, *entry.aliases):
                if key in names or cls.code in found:
                    other = names.get(key) or found[cls.code]
                    raise BrokenRulePack(f"`{entry.module}` and `{other.module}` share `{key}` or `{cls.code}`")
                names[key] = entry
            found[cls.code] = entry
    return dict(sorted(found.items()))


def rules_in(package_name: str) -> list[type[Rule]]:
    """Every rule class defined in the modules of a package, one a module."""
    import pkgutil

    from mlxlint.rule import Rule

    package = importlib.import_module(package_name)
    found = []
    for info in pkgutil.walk_packages(package.__path__, package_name + "."):
        if info.ispkg or info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        found += [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, Rule)
            and thing.__module__ == module.__name__
            and "code" in vars(thing)
        ]
    return found
