"""The public surface of MLX and MLX-LM, release by release, read from ``mlxlint/data/api-*.json``, never from MLX.

Names are canonical qualified names: "mlx.core.array.reshape", "mlx.nn.Linear", "mlx_lm.load". Each data file is read
when first asked about. A release whose type stubs were never published is taken to be like the one before it, except
where the question is whether something is a fact: :meth:`Releases.contains` and :func:`known_modules` leave it out.
"""

from __future__ import annotations

import ast
import builtins
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Literal, NamedTuple, cast

DATA = Path(__file__).parent.parent / "data"
FILES = ("core", "mlx", "mlx-lm")  # mlx.core, the rest of MLX, MLX-LM
_FILES_OF = {"mlx": ("core", "mlx"), "mlx-lm": ("mlx-lm",)}

Kind = Literal["module", "function", "class", "method", "property", "value"]
ParameterKind = Literal["positional-only", "positional-or-keyword", "var-positional", "keyword-only", "var-keyword"]


class Parameter(NamedTuple):
    """A parameter; ``default`` and ``annotation`` are source text."""

    name: str
    kind: ParameterKind
    default: str | None = None
    annotation: str | None = None


class Signature(NamedTuple):
    """One way to call, ``self`` left out."""

    parameters: tuple[Parameter, ...] = ()
    returns: str | None = None


class History(NamedTuple):
    """The releases that a data file speaks of, and those among them whose surface was never published."""

    releases: tuple[str, ...]
    unknown: frozenset[str]
    keys: tuple[tuple[int, ...], ...]

    def position(self, release: str | None) -> int | None:
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


class Releases(NamedTuple):
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
        index = self.history.position(release)
        if index is None or release in self.history.unknown:
            return None
        return any(first <= index <= last for first, last in self.spans)


class Entry(NamedTuple):
    """One public name.

    ``name`` is the canonical one: for an inherited member, that of the class which defines it; for what a module
    imports from elsewhere, its name there. A class has its constructor's ``signatures``; a property or value has one
    without parameters that returns its type, where that is known. ``releases`` are those of the name asked for.
    ``deprecated`` is what the newest release says on use.
    """

    name: str
    kind: Kind
    releases: Releases
    signatures: tuple[Signature, ...] = ()
    bases: tuple[str, ...] = ()
    deprecated: str | None = None


class Run(NamedTuple):
    """A fact and the releases in which it held: a kind, and its signatures, its bases or the target of the alias."""

    first: int
    last: int
    kind: str
    texts: tuple[str, ...]

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

    def names(self) -> Iterator[tuple[str, str]]:
        return ((scope, member) for scope, members in self._scopes.items() for member in members)

    def runs(self, scope: str, member: str) -> list[Run]:
        runs = []
        for first, last, fact in self._scopes.get(scope, {}).get(member, ()):
            kind, *texts = self._facts[fact]
            runs.append(Run(first, self.last(last), kind, tuple(texts)))
        return runs

    def run_at(self, scope: str, member: str, release: str | None) -> Run | None:
        """What holds in a release (None: the newest)."""
        index = self.history.position(release)
        return next((run for run in self.runs(scope, member) if index is not None and run.holds(index)), None)


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
    runs = surface.runs(scope, member)
    run = surface.run_at(scope, member, release)
    if run is None:
        entry = _elsewhere(scope, member, release)
        if entry or release is not None or not runs:
            return entry
        run = runs[-1]
    releases = Releases(surface.history, tuple((r.first, r.last) for r in runs))
    if run.kind == "alias":
        target = run.texts[0]
        entry = lookup(target, release if file_of(target) == file_of(name) else None)
        return entry._replace(releases=releases) if entry else Entry(target, "value", releases)
    is_class = run.kind == "class"
    constructor = lookup(f"{name}.__init__", release) if is_class else None
    return Entry(
        name=name,
        kind=cast(Kind, run.kind),
        releases=releases,
        signatures=(constructor.signatures if constructor else ()) if is_class else tuple(map(signature, run.texts)),
        bases=run.texts if is_class else (),
        deprecated=surface.deprecated.get(name),
    )


def _elsewhere(scope: str, member: str, release: str | None) -> Entry | None:
    """A member that is not in a scope itself: it may have another name, or a base class that has the member."""
    owner = canonical(scope)
    if owner != scope:
        return lookup(f"{owner}.{member}", release)
    surface = surface_of(scope.rpartition(".")[0])
    run = surface.run_at(*scope.rpartition(".")[::2], release) if surface else None
    bases = run.texts if run and run.kind == "class" else ()
    return next((entry for base in bases if (entry := lookup(f"{base}.{member}", release))), None)


@cache
def canonical(name: str) -> str:
    """The public name of what is also reached as ``name``; a name that is not known comes back unchanged.

    Imports are followed too: "mlx_lm.utils.tree_flatten" is "mlx.utils.tree_flatten".
    """
    scope, _, member = name.rpartition(".")
    surface = surface_of(scope)
    if surface is None:
        return name
    runs = surface.runs(scope, member)
    if runs:
        return canonical(runs[-1].texts[0]) if runs[-1].kind == "alias" else name
    owner = canonical(scope)
    return name if owner == scope else canonical(f"{owner}.{member}")


@cache
def members(name: str, release: str | None = None) -> frozenset[str]:
    """The public names in a module or class, inherited ones included, in the newest release or the one given."""
    surface = surface_of(name)
    index = surface.history.position(release) if surface else None
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
        index = surface.history.position(release)
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
def definitions(package: str, release: str) -> Mapping[str, Run]:
    """The public names of a release, each where it is defined: what a module merely imports is left out."""
    found = {}
    for surface in map(_surface, _FILES_OF[package]):
        for scope, member in surface.names():
            name = f"{scope}.{member}"
            run = None if "._" in name else surface.run_at(scope, member, release)
            if run is not None and run.kind != "alias":
                found[name] = run
    return found


def unpublished(package: str) -> frozenset[str]:
    """The releases whose names, or some of them, are taken to be those of the release before."""
    return frozenset[str]().union(*(_surface(file).history.unknown for file in _FILES_OF[package]))


def deprecations(package: str) -> dict[str, str]:
    """The names that the newest release deprecates, and what it says on use."""
    return {name: text for file in _FILES_OF[package] for name, text in _surface(file).deprecated.items()}


@cache
def signature(text: str) -> Signature:
    """Read "(a: array, /, *, stream: StreamOrDevice = None) -> array"."""
    function = cast(ast.FunctionDef, ast.parse(f"def f{text}: ...").body[0])
    return Signature(tuple(_parameters(function.args)), _source(function.returns))


def _parameters(arguments: ast.arguments) -> Iterator[Parameter]:
    positional: list[tuple[ast.arg, ParameterKind]] = [(arg, "positional-only") for arg in arguments.posonlyargs]
    positional += [(arg, "positional-or-keyword") for arg in arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for (arg, kind), default in zip(positional, defaults, strict=True):
        yield _parameter(arg, kind, default)
    if arguments.vararg:
        yield _parameter(arguments.vararg, "var-positional")
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(arg, "keyword-only", default)
    if arguments.kwarg:
        yield _parameter(arguments.kwarg, "var-keyword")


def _parameter(arg: ast.arg, kind: ParameterKind, default: ast.expr | None = None) -> Parameter:
    return Parameter(arg.arg, kind, _source(default), _source(arg.annotation))


def _source(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)


def _version_key(version: str) -> tuple[int, ...]:
    """The numbers of a version, as far as they go: of "0.31.0rc1" the first two."""
    return tuple(map(int, takewhile(str.isdigit, version.split("."))))
