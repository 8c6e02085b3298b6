"""The public surface of MLX and MLX-LM, release by release, read from ``mlxlint/data/api-*.json`` (never from MLX itself).

Names are canonical qualified names: "mlx.core.array.reshape", "mlx.nn.Linear", "mlx_lm.load". Each data file is read when
first asked about. A release whose type stubs were never published is taken to be like the one before it, except where the
question is whether something is a fact: :meth:`Releases.contains` and :func:`known_modules` do not speak for it.
"""

from __future__ import annotations

import ast
import builtins
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast

DATA = Path(__file__).parent.parent / "data"
FILES = ("core", "mlx", "mlx-lm")  # mlx.core, the rest of MLX, MLX-LM

Kind = Literal["module", "function", "class", "method", "property", "value"]
ParameterKind = Literal["positional-only", "positional-or-keyword", "var-positional", "keyword-only", "var-keyword"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``default`` and ``annotation`` are source text."""

    name: str
    kind: ParameterKind
    default: str | None = None
    annotation: str | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call, ``self`` left out."""

    parameters: tuple[Parameter, ...] = ()
    returns: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The releases that a data file speaks of, and those among them whose surface was never published."""

    releases: tuple[str, ...]
    unknown: frozenset[str]
    keys: tuple[tuple[int, ...], ...]

    def index(self, release: str | None) -> int | None:
        """Where a release stands (None: the newest); None when it is older than all that are known.

        A version given in part ("0.31") is the first of its series; one that is not known is like the one before it.
        """
        if release is None:
            return len(self.releases) - 1
        key = _version_key(release)
        index = bisect_left(self.keys, key)
        if index < len(self.keys) and self.keys[index][: len(key)] == key:
            return index
        return index - 1 if index else None


@dataclass(frozen=True, slots=True)
class Releases:
    """The releases in which a name stood: ``spans`` of first and last index into a history."""

    history: History
    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> str:
        return self.history.releases[self.spans[0][0]]

    @property
    def last(self) -> str:
        return self.history.releases[self.spans[-1][1]]

    def contains(self, release: str | None = None) -> bool | None:
        """Whether the name stood in a release (None: the newest); None when that release's surface is not known."""
        index = self.history.index(release)
        if index is None or release in self.history.unknown:
            return None
        return any(first <= index <= last for first, last in self.spans)


@dataclass(frozen=True, slots=True)
class Entry:
    """One public name.

    ``name`` is the canonical one: for an inherited member, that of the class which defines it. A class has its
    constructor's ``signatures``; a property or value has one without parameters that returns its type, where that is known.
    ``releases`` are those of the name asked for. ``deprecated`` is what the newest release says when it is used.
    """

    name: str
    kind: Kind
    signatures: tuple[Signature, ...]
    bases: tuple[str, ...]
    releases: Releases
    deprecated: str | None = None


class Run:
    """A fact and the releases in which it held. A fact is a kind and texts: signatures, bases, or the target of an alias."""

    __slots__ = ("first", "kind", "last", "texts")

    def __init__(self, first: int, last: int, kind: str, texts: tuple[str, ...] = ()) -> None:
        self.first, self.last, self.kind, self.texts = first, last, kind, texts

    def holds(self, index: int) -> bool:
        return self.first <= index <= self.last


class Surface:
    """One data file: for a module or class, each member's runs, oldest first."""

    def __init__(self, file: str) -> None:
        content = json.loads((DATA / f"api-{file}.json").read_bytes())
        releases = tuple(content["releases"])
        self.history = History(releases, frozenset(content["unknown"]), tuple(map(_version_key, releases)))
        self.deprecated: dict[str, str] = content["deprecated"]
        self.modules: dict[str, list[list[int]]] = content["modules"]
        self._scopes: dict[str, dict[str, list[list[int]]]] = content["scopes"]
        self._facts: list[list[str]] = content["facts"]

    def last(self, index: int) -> int:
        """The release a span ends with: -1 says that it has not ended."""
        return index if index >= 0 else len(self.history.releases) - 1

    def members(self, scope: str) -> Iterable[str]:
        return self._scopes.get(scope, ())

    def runs(self, scope: str, member: str) -> Iterator[Run]:
        for first, last, fact in self._scopes.get(scope, {}).get(member, ()):
            kind, *texts = self._facts[fact]
            yield Run(first, self.last(last), kind, tuple(texts))


@cache
def _surface(file: str) -> Surface:
    return Surface(file)


def file_of(scope: str) -> str | None:
    """Which data file holds the members of a module or class."""
    package, _, rest = scope.partition(".")
    if package == "mlx":
        return "core" if rest.partition(".")[0] == "core" else "mlx"
    return "mlx-lm" if package == "mlx_lm" else None


def surface_of(scope: str) -> Surface | None:
    file = file_of(scope)
    return _surface(file) if file else None


@cache
def lookup(name: str, release: str | None = None) -> Entry | None:
    """A public name as it was in its newest release, or in the one given.

    Returns:
        None when the name is not known, or stood neither in the release given nor in one like it.
    """
    scope, _, member = name.rpartition(".")
    surface = surface_of(scope)
    if surface is None:
        return None
    runs = list(surface.runs(scope, member))
    if not runs:
        owner = canonical(scope)
        return lookup(f"{owner}.{member}", release) if owner != scope else _inherited(scope, member, release)
    index = surface.history.index(release)
    run = runs[-1] if release is None else next((r for r in runs if index is not None and r.holds(index)), None)
    if run is None:
        return None
    releases = Releases(surface.history, tuple((r.first, r.last) for r in runs))
    if run.kind == "alias":
        entry = lookup(run.texts[0])
        return entry and replace(entry, releases=releases)
    is_class = run.kind == "class"
    constructor = lookup(f"{name}.__init__", release) if is_class else None
    return Entry(
        name=name,
        kind=cast(Kind, run.kind),
        signatures=(constructor.signatures if constructor else ()) if is_class else tuple(map(signature, run.texts)),
        bases=run.texts if is_class else (),
        releases=releases,
        deprecated=surface.deprecated.get(name),
    )


def _inherited(scope: str, member: str, release: str | None) -> Entry | None:
    owner = lookup(scope, release)
    found = (lookup(f"{base}.{member}", release) for base in (owner.bases if owner else ()))
    return next((entry for entry in found if entry), None)


@cache
def canonical(name: str) -> str:
    """The public name of what is also reached as ``name``; a name that is not known comes back unchanged.

    Imports are followed too: "mlx_lm.utils.tree_flatten" is "mlx.utils.tree_flatten".
    """
    scope, _, member = name.rpartition(".")
    surface = surface_of(scope)
    if surface is None:
        return name
    *_, newest = *surface.runs(scope, member), None
    if newest is not None:
        return canonical(newest.texts[0]) if newest.kind == "alias" else name
    owner = canonical(scope)
    return name if owner == scope else canonical(f"{owner}.{member}")


@cache
def members(name: str, release: str | None = None) -> frozenset[str]:
    """The public names in a module or class, inherited ones included, in the newest release or the one given."""
    surface = surface_of(name)
    index = surface.history.index(release) if surface else None
    if surface is None or index is None:
        return frozenset()
    own = {
        member
        for member in surface.members(name)
        if not member.startswith("_") and any(run.holds(index) for run in surface.runs(name, member))
    }
    entry = None if name in surface.modules else lookup(name, release)
    if entry is not None and entry.name != name:
        return members(entry.name, release)
    return frozenset(own.union(*(_members_of_base(base, release) for base in (entry.bases if entry else ()))))


def _members_of_base(base: str, release: str | None) -> Iterable[str]:
    if "." in base:
        return members(base, release)
    return (member for member in dir(getattr(builtins, base, object)) if not member.startswith("_"))


@cache
def known_modules(release: str | None = None) -> frozenset[str]:
    """The modules whose members are all known in the newest release or the one given: there, a missing name is a fact.

    A release of MLX and one of MLX-LM are not the same: ask with the version of the package whose modules are meant.
    """
    found = set()
    for surface in map(_surface, FILES):
        index = surface.history.index(release)
        if index is None or release in surface.history.unknown:
            continue
        for module, spans in surface.modules.items():
            if any(first <= index <= surface.last(last) for first, last in spans):
                found.add(module)
    return frozenset(found)


def versions(package: str) -> tuple[str, ...]:
    """The releases of "mlx" or "mlx-lm" that are known, oldest first."""
    return _surface(package).history.releases


@cache
def signature(text: str) -> Signature:
    """Read "(a: array, /, *, stream: StreamOrDevice = None) -> array"."""
    function = cast(ast.FunctionDef, ast.parse(f"def f{text}: ...").body[0])
    returns = function.returns and ast.unparse(function.returns)
    return Signature(tuple(_parameters(function.args)), returns)


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    positional: list[tuple[ast.arg, ParameterKind]] = [(arg, "positional-only") for arg in arguments.posonlyargs]
    positional += [(arg, "positional-or-keyword") for arg in arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for (arg, kind), default in zip(positional, defaults):
        yield _parameter(arg, kind, default)
    if arguments.vararg:
        yield _parameter(arguments.vararg, "var-positional")
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        yield _parameter(arg, "keyword-only", default)
    if arguments.kwarg:
        yield _parameter(arguments.kwarg, "var-keyword")


def _parameter(arg: ast.arg, kind: ParameterKind, default: ast.expr | None = None) -> Parameter:
    return Parameter(arg.arg, kind, default and ast.unparse(default), arg.annotation and ast.unparse(arg.annotation))


def _version_key(version: str) -> tuple[int, ...]:
    """Raises ValueError unless the version is numbers and dots."""
    return tuple(map(int, version.split(".")))
