"""The releases that code is to run on: those a version or a range names, or that the project itself requires."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from mlxlint import evidence
from mlxlint.model import api

PACKAGES = ("mlx", "mlx-lm")
_VERSION = re.compile(r"\d+(\.\d+)+")
_LOWEST = (">=", ">", "==", "~=")
_LEAVING_OPEN = (">=", ">", "!=")


class Target(NamedTuple):
    """The releases of one package, oldest first; without any, the newest that is known is meant.

    ``is_open``: only a lower bound was given, so that the newest is what is installed.
    """

    releases: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def decisive(self) -> tuple[str, ...]:
        """The releases on which findings are judged. Those that a bound leaves open matter to suggestions alone."""
        return self.releases[-1:] if self.is_open else self.releases

    @property
    def newest(self) -> str | None:
        """What to ask the API data for: None is its newest release."""
        return self.releases[-1] if self.releases else None

    def lacking(self, name: str) -> Absence | None:
        """Where a member of a module or class is known to be missing; None when it is nowhere."""
        return _lacking(self.decisive or (None,), *name.rpartition(".")[::2])

    def has_throughout(self, name: str) -> bool:
        """Whether a member may be used in place of another: no release is known to lack it."""
        return _lacking(self.releases or (None,), *name.rpartition(".")[::2]) is None

    def reaches(self, release: str) -> bool:
        """Whether a release that is meant is that one, or an older one."""
        return any(evidence.release(each) <= evidence.release(release) for each in self.releases)

    def holds(self, code: str) -> bool:
        """Whether a rule is right about any of the releases, as far as its recorded evidence tells."""
        return not self.releases or any(evidence.holds(code, release) is not False for release in self.decisive)


class Absence(NamedTuple):
    """The first and last of the target's releases that lack a name; ``throughout``: the newest lacks it as well."""

    first: str | None
    last: str | None
    throughout: bool

    def clause(self, entry: api.Entry | None) -> str:
        """To be put after "has no `name`": in which release, and which one has it."""
        where = "" if self.last is None else f" in {self.last}"
        if entry is None:
            return where
        had = entry.releases.last
        if self.last is not None and evidence.release(had) > evidence.release(self.last):
            return f"{where}: {entry.releases.first} is the first known to have it"
        return f"{where}: its last release was {had}"


NEWEST = Target()


@cache
def _lacking(releases: tuple[str | None, ...], scope: str, member: str) -> Absence | None:
    found = [release for release in releases if _lacks(release, scope, member)]
    return Absence(found[0], found[-1], found[-1] == releases[-1]) if found else None


def _lacks(release: str | None, scope: str, member: str) -> bool:
    """Whether a release surely has no such member; of one whose surface is not known nothing is sure."""
    known = api.known_modules(release)
    owner = api.lookup(scope) if scope not in known else None
    is_known = scope in known if owner is None else owner.kind == "class" and scope.rpartition(".")[0] in known
    return is_known and member not in api.members(scope, release)


@cache
def target(package: str, text: str | None) -> Target:
    """The releases that a version ("0.31": all of that series) or a range (">=0.30,<0.32") stands for.

    One that is not known is like the newest known one before it.

    Raises:
        ValueError: when the text is neither, or all known releases are newer.
    """
    if text is None:
        return NEWEST
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    try:
        wanted = SpecifierSet(f"=={text}.*" if _VERSION.fullmatch(text) else text)
    except InvalidSpecifier:
        wanted = SpecifierSet()
    if not len(wanted):
        raise ValueError(f'expected a version such as "0.31" or a range such as ">=0.30,<0.32", not {text!r}')
    known = api.versions(package)
    matching = tuple(release for release in known if wanted.contains(release, prereleases=True))
    if matching:
        return Target(matching, all(each.operator in _LEAVING_OPEN for each in wanted))
    starts = [Version(each.version.removesuffix(".*")) for each in wanted if each.operator in _LOWEST]
    before = [release for release in known if starts and Version(release) < max(starts)]
    if not before:
        raise ValueError(f"no release of {package} that is known is {text!r}: they are {known[0]} to {known[-1]}")
    return Target((before[-1],))


def declared(folder: str) -> dict[str, str]:
    """What the project in a folder requires of each package, by ``target-mlx`` and ``target-mlx-lm``.

    Read from the first of ``pyproject.toml``, ``setup.cfg`` and ``requirements.txt`` that asks for certain releases.
    """
    for name, read in _READERS.items():
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            continue
        found = dict(_requirements(read(data.decode("utf-8", "replace")))) if b"mlx" in data.lower() else {}
        if found:
            return found
    return {}


def required(folder: str) -> dict[str, str]:
    """What the project around a folder declares: the nearest file above that asks for certain releases speaks."""
    parent = os.path.dirname(folder)
    return declared(folder) or ({} if parent == folder else required(parent))


def _requirements(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    seen = set()
    for line in lines:
        try:
            requirement = Requirement(line)
            package = canonicalize_name(requirement.name)
            if package in PACKAGES and package not in seen and target(package, str(requirement.specifier)):
                seen.add(package)
                yield f"target-{package}", str(requirement.specifier)
        except (InvalidRequirement, ValueError):  # of another package, of any release or of none that is known
            continue


def _of_pyproject(text: str) -> Iterator[str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        project = tomllib.loads(text).get("project")
    except tomllib.TOMLDecodeError:
        return
    if isinstance(project, dict):
        extras = project.get("optional-dependencies")
        for lines in (project.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())):
            yield from (line for line in lines or () if isinstance(line, str))


def _of_setup(text: str) -> list[str]:
    from configparser import ConfigParser
    from configparser import Error as ConfigParserError

    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
        return parser.get("options", "install_requires", fallback="").splitlines()
    except ConfigParserError:
        return []


def _of_requirements(text: str) -> list[str]:
    return [line.partition(" #")[0].strip() for line in text.splitlines()]


_READERS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "pyproject.toml": _of_pyproject,
    "setup.cfg": _of_setup,
    "requirements.txt": _of_requirements,
}
