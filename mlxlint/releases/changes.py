"""What changed between two releases, as far as the API data and the recorded evidence tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache

from mlxlint import evidence
from mlxlint.model import api
from mlxlint.registry import rules
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

_REPLACEMENT = re.compile(r"Use mx\.([\w.]+) instead")


class UnknownRelease(Exception):
    """No release of that version is known; the argument says which are."""


@dataclass(frozen=True)
class Signature:
    """A function whose parameters are not what they were."""

    name: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Turn:
    """A rule or a check of the surface that was seen to hold on one of the releases and not on the other.

    ``before`` and ``after``: what its reproduction showed. ``state``: "begins", "ceases", or "first run" where the
    older release could not run the reproduction, so that it says nothing about the hazard there.
    """

    key: str
    statement: str
    state: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    package: str
    before: str
    after: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    deprecated: tuple[str, ...]
    signatures: tuple[Signature, ...]
    rules: tuple[Turn, ...]
    checks: tuple[Turn, ...]
    evidence: tuple[str | None, str | None]  # the releases whose runs speak for the two
    unpublished: tuple[str, ...]  # of the two, those whose names are taken to be those of the release before

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.deprecated or self.signatures or self.rules or self.checks)


def known(package: str) -> list[str]:
    """The releases whose surface or evidence is on record, oldest first."""
    return sorted({*api.versions(package), *_run(package)}, key=evidence.release)


def resolve(package: str, text: str | None) -> str:
    """The release a version stands for: "0.31" is the newest known one of that series, None the newest of all.

    One that is not known, a withdrawn one for example, is like the newest before it.

    Raises:
        UnknownRelease: when it is older or newer than all that are known, or no version.
    """
    found = known(package)
    if text is None:
        return found[-1]
    wanted = evidence.release(text.removeprefix("v"))
    series = [version for version in found if evidence.release(version)[: len(wanted)] == wanted]
    before = [version for version in found if evidence.release(version) < wanted]
    if not wanted or not (series or before) or (not series and before == found):
        raise UnknownRelease(f"no {package} {text} is known: they are {found[0]} to {found[-1]}")
    return (series or before)[-1]


def changes(package: str, before: str, after: str) -> Changes:
    """What differs between two known releases, whichever is the newer."""
    old, new = api.definitions(package, before), api.definitions(package, after)
    return Changes(
        package, before, after,
        added=_outermost(new.keys() - old.keys()),
        removed=_outermost(old.keys() - new.keys()),
        deprecated=_deprecated(package, new.keys() - old.keys()),
        signatures=tuple(_signatures(old, new)),
        rules=tuple(_turns(_rules(), package, before, after)),
        checks=tuple(_turns(_checks(package), package, before, after)),
        evidence=(_speaking(package, before), _speaking(package, after)),
        unpublished=tuple(release for release in (before, after) if release in api.unpublished(package)),
    )  # fmt: skip


def _outermost(names: Set[str]) -> tuple[str, ...]:
    """Names in order, without the members of a class or module that is among them."""
    return tuple(sorted(name for name in names if name.rpartition(".")[0] not in names))


def _deprecated(package: str, added: Set[str]) -> tuple[str, ...]:
    """Names deprecated since the first release that has their replacement: that is when MLX deprecates."""
    return tuple(
        f"{name}: {message}"
        for name, message in sorted(api.deprecations(package).items())
        if (replacement := _REPLACEMENT.search(message)) and f"mlx.core.{replacement[1]}" in added
    )


def _signatures(old: Mapping[str, api.Run], new: Mapping[str, api.Run]) -> Iterator[Signature]:
    for name in sorted(old.keys() & new.keys()):
        if old[name].texts != new[name].texts:
            before, after = _parameters(old[name]), _parameters(new[name])
            if before and after and before != after:
                yield Signature(name, tuple(sorted(after - before)), tuple(sorted(before - after)))


def _parameters(run: api.Run) -> frozenset[str]:
    """The names of a function's parameters; a class has its constructor's, told once there."""
    signatures = () if run.kind == "class" else map(api.signature, run.texts)
    return frozenset(
        parameter.name
        for signature in signatures
        for parameter in signature.parameters
        if not parameter.name.startswith("_")
    )


def _rules() -> dict[str, str]:
    return {code: f"{rule.name}: {rule.summary()}" for code, rule in rules().items()}


def _checks(package: str) -> dict[str, str]:
    return {check.name: check.statement for check in (MLX_CHECKS if package == "mlx" else LM_CHECKS).values()}


def _turns(statements: dict[str, str], package: str, before: str, after: str) -> Iterator[Turn]:
    for key, statement in statements.items():
        if evidence.package_of(key) != package:
            continue
        (old, old_text), (new, new_text) = _seen(key, before), _seen(key, after)
        state = _STATES.get(f"{old}, {new}")
        if state is not None:
            yield Turn(key, statement, state, old_text, new_text)


_STATES = {
    "refuted, confirmed": "begins",
    "confirmed, refuted": "ceases",
    "inconclusive, confirmed": "first run",
}


def _seen(key: str, release: str) -> tuple[str | None, str]:
    """The status and text of the newest run on a release or before it; one that confirms speaks for all its devices."""
    wanted = evidence.release(release)
    return next((seen for version, seen in _settled(key) if version <= wanted), (None, ""))


@cache
def _settled(key: str) -> tuple[tuple[tuple[int, ...], tuple[str, str]], ...]:
    """Each release that was run, newest first, with what it showed."""
    order = ("confirmed", "refuted", "inconclusive")
    found = []
    for version, runs in reversed(evidence.by_release(key).items()):
        one = min(runs, key=lambda seen: order.index(seen.status))
        found.append((evidence.release(version), (one.status, one.text)))
    return tuple(found)


@cache
def _run(package: str) -> tuple[str, ...]:
    """The releases on which reproductions about a package were run, oldest first."""
    found = {
        version
        for key, entries in evidence.recorded().items()
        if evidence.package_of(key) == package
        for run in entries
        if (version := run.version(package)) is not None
    }
    return tuple(sorted(found, key=evidence.release))


def newest_run(package: str) -> str | None:
    return next(reversed(_run(package)), None)


def _speaking(package: str, release: str) -> str | None:
    older = [version for version in _run(package) if evidence.release(version) <= evidence.release(release)]
    return older[-1] if older else None
