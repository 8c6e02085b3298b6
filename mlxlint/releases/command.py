"""``mlxlint releases`` on the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TypeVar

import click

from mlxlint import evidence
from mlxlint.cli import CLEAN, Failure
from mlxlint.model import api
from mlxlint.releases import ask
from mlxlint.releases.changes import Changes, Signature, Turn, UnknownRelease, changes, newest_run, resolve

T = TypeVar("T")
PACKAGES = ("mlx", "mlx-lm")
STATES = {
    "begins": "begin to hold",
    "ceases": "cease to hold",
    "first run": "hold, and could not be run before",
}


@dataclass(frozen=True)
class Standing:
    """One package: installed, known to this mlxlint (its names, and where reproductions were run), and published."""

    package: str
    installed: str | None
    known: str
    run: str | None
    published: ask.Published | None
    github: ask.Tagged | None
    unanswered: tuple[str, ...]


@click.command("releases", short_help="Installed, known and newest MLX and MLX-LM; what changed between two.")
@click.option("--from", "before", metavar="VERSION", help="Tell what changed since this release (0.31: its newest).")
@click.option("--to", "after", metavar="VERSION", help="... until this one [the newest known].")
@click.option("--package", type=click.Choice(PACKAGES), help="This package alone; with --from, whose releases [mlx].")
@click.option("--offline", is_flag=True, help="Ask neither the package index nor GitHub.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, metavar="S")
@click.option("--python", metavar="PATH", help="The Python that has MLX (default: $MLXLINT_PYTHON, else this one).")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def releases_command(
    before: str | None, after: str | None, package: str | None, offline: bool, timeout: float, python: str | None,
    output_format: str,
) -> int:  # fmt: skip
    """Tell which MLX and MLX-LM are installed, which this mlxlint knows, and which are published.

    The package index is the one that pip is set up with, GitHub is asked through gh. What could not be asked is said,
    and is no failure. With --from, tell what changed between two releases instead; nothing is asked then.
    """
    if after and not before:
        raise click.UsageError("--to goes with --from")
    if before:
        _emit(_changes(package or "mlx", before, after), output_format, asdict, lambda found: "\n".join(_told(found)))
        return CLEAN
    python = python or os.environ.get("MLXLINT_PYTHON") or sys.executable
    found = standings([package] if package else list(PACKAGES), python, None if offline else timeout)
    _emit(found, output_format, _described, lambda found: "\n\n".join("\n".join(_lines(one)) for one in found))
    return CLEAN


def _emit(found: T, output_format: str, describe: Callable[[T], object], tell: Callable[[T], str]) -> None:
    click.echo(json.dumps(describe(found), indent=2) if output_format == "json" else tell(found))


def _changes(package: str, before: str, after: str | None) -> Changes:
    try:
        return changes(package, resolve(package, before), resolve(package, after))
    except UnknownRelease as error:
        raise Failure(str(error)) from None


def standings(packages: list[str], python: str, timeout: float | None) -> list[Standing]:
    """How each package stands; without a timeout nothing is asked."""
    with ThreadPoolExecutor(2 * len(packages)) as pool:
        waiting = [
            (package, pool.submit(_index, package, python, timeout), pool.submit(_github, package, timeout))
            for package in packages
        ]
        return [_standing(package, python, index, github) for package, index, github in waiting]


def _index(package: str, python: str, timeout: float | None) -> ask.Published:
    if timeout is None:
        raise ask.Unanswered("not asked")
    return ask.index(package, python, timeout)


def _github(package: str, timeout: float | None) -> ask.Tagged:
    if timeout is None:
        raise ask.Unanswered("not asked")
    return ask.github(package, timeout)


def _standing(package: str, python: str, index: Future[ask.Published], github: Future[ask.Tagged]) -> Standing:
    published, no_index = _answer("the package index", index.result)
    tagged, no_github = _answer("GitHub", github.result)
    trouble = f"the package index: {published.trouble}" if published and published.trouble else None
    unanswered = tuple(line for line in (no_index, trouble, no_github) if line)
    known = api.versions(package)[-1]
    return Standing(package, ask.installed(package, python), known, newest_run(package), published, tagged, unanswered)


def _answer(whom: str, answer: Callable[[], T]) -> tuple[T | None, str | None]:
    try:
        return answer(), None
    except ask.Unanswered as why:
        return None, f"{whom}: {why}"


def _described(found: list[Standing]) -> dict[str, object]:
    return {
        one.package: {
            "installed": one.installed,
            "known": one.known,
            "run": one.run,
            "published": one.published
            and {
                "newest": next(iter(one.published.versions), None),
                "versions": one.published.versions,
                "yanked": one.published.yanked,
            },
            "github": one.github and asdict(one.github),
            "unanswered": one.unanswered,
        }
        for one in found
    }


def _lines(one: Standing) -> Iterator[str]:
    yanked = one.published.yanked if one.published else {}
    yield one.package
    yield _line("installed", _marked(one.installed, yanked) if one.installed else "no")
    yield _line("known", f"{one.known}, reproductions run on {one.run or 'none'}")
    if one.published:
        yield _line("published", next(iter(one.published.versions), "none for this machine and Python"))
    if one.github:
        yield _line("GitHub", f"{one.github.tag} of {one.github.date}, {one.github.url}")
    for version in yanked:
        yield _line("withdrawn", _marked(version, yanked))
    for what in one.unanswered:
        yield _line("not known", what)
    yield from (_line("note", advice) for advice in _advice(one))


def _line(head: str, text: str) -> str:
    return f"  {head:<11}{text}"


def _marked(version: str, yanked: dict[str, str]) -> str:
    if version not in yanked:
        return version
    return f"{version} (yanked: {yanked[version]})" if yanked[version] else f"{version} (yanked)"


def _advice(one: Standing) -> Iterator[str]:
    newest = next(iter(one.published.versions), None) if one.published else None
    if newest and evidence.release(newest) > evidence.release(one.known):
        yield f"{newest} is newer than this mlxlint: `mlxlint probe` tells what it does differently"
    if newest and one.installed and evidence.release(newest) > evidence.release(one.installed):
        yield f"`mlxlint releases --package {one.package} --from {one.installed}` tells what changed since"


def _told(found: Changes) -> Iterator[str]:
    yield f"{found.package} {found.before} to {found.after}"
    for head, names in (("added", found.added), ("removed", found.removed), ("deprecated", found.deprecated)):
        yield from _section(head, names)
    yield from _section("other parameters", map(_parameters, found.signatures))
    for kind, turns in (("rules", found.rules), ("checks", found.checks)):
        for state, words in STATES.items():
            of_state = [turn for turn in turns if turn.state == state]
            yield from _section(f"{kind} that {words}", [_turn(turn, found) for turn in of_state])
    if found.is_empty:
        yield "nothing that is on record"
    for release in found.unpublished:
        yield f"\nThe names of {release} were never published: they are taken to be those of the release before."
    ran = [release or "no release" for release in found.evidence]
    yield f"\nRules and checks: by runs on {ran[0]} and {ran[1]}."


def _section(head: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    if listed:
        yield f"\n{head} ({len(listed)})"
        yield from (f"  {line}" for line in listed)


def _parameters(one: Signature) -> str:
    signs = [*(f"+{name}" for name in one.added), *(f"-{name}" for name in one.removed)]
    return f"{one.name}: {', '.join(signs)}"


def _turn(one: Turn, found: Changes) -> str:
    before, after = found.evidence
    return f"{one.key} {one.statement}\n      {before}: {one.before}\n      {after}: {one.after}"
