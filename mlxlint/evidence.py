"""Recorded evidence: what each reproduction and surface check did on each release that could be run.

``data/evidence.json`` is written by :func:`merge` and never by hand. Its ``runs`` say where something was run; for each
rule and check it holds ``[indices of runs, status, text]`` triples, equal results of several runs together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "data" / "evidence.json"
OF_MLX_LM = ("MLX7", "lm-")  # how codes of rules and names of checks about MLX-LM begin


@dataclass(frozen=True)
class Run:
    """Where reproductions were run; ``mlx_lm`` is None where MLX-LM was not installed."""

    mlx: str
    mlx_lm: str | None
    platform: str
    device: str

    def version(self, package: str) -> str | None:
        return self.mlx_lm if package == "mlx-lm" else self.mlx


@dataclass(frozen=True)
class Seen:
    """What one thing did in one run. ``status``: confirmed, refuted, inconclusive or skipped."""

    run: Run
    status: str
    text: str


Records = dict[str, dict[Run, Seen]]


def read(path: Path = PATH) -> Records:
    """All that was recorded, by rule code or name of check; nothing when there is no such file."""
    if not path.exists():
        return {}
    data = json.loads(path.read_text(encoding="utf-8"))
    runs = [Run(**run) for run in data["runs"]]
    return {
        key: {runs[index]: Seen(runs[index], status, text) for indices, status, text in entries for index in indices}
        for key, entries in data["seen"].items()
    }


def merge(path: Path, run: Run, results: Mapping[str, tuple[str, str]]) -> None:
    """Add what one run showed to a file, in place of what the same run showed of the same before."""
    records = {key: dict(entries) for key, entries in read(path).items()}
    for key, (status, text) in results.items():
        records.setdefault(key, {})[run] = Seen(run, status, text)
    write(path, records)


def write(path: Path, records: Records) -> None:
    runs = sorted({run for entries in records.values() for run in entries}, key=order)
    seen = {
        key: json.dumps(packed(entries.values(), runs), ensure_ascii=False)
        for key, entries in sorted(records.items())
        if entries
    }
    lines = ",\n".join(f"  {json.dumps(key)}: {text}" for key, text in seen.items())
    heads = ",\n".join(f"  {json.dumps(asdict(run))}" for run in runs)
    path.write_text(f'{{\n "runs": [\n{heads}\n ],\n "seen": {{\n{lines}\n }}\n}}\n', encoding="utf-8")


def packed(entries: Iterable[Seen], runs: list[Run]) -> list[Any]:
    together: dict[tuple[str, str], list[int]] = {}
    for seen in entries:
        together.setdefault((seen.status, seen.text), []).append(runs.index(seen.run))
    return sorted([sorted(indices), status, text] for (status, text), indices in together.items())


def order(run: Run) -> tuple[Any, ...]:
    return release(run.mlx), release(run.mlx_lm or "0"), run.platform, run.device


def release(version: str) -> tuple[int, ...]:
    """A version as numbers that compare; what follows the first part that is not a number does not count."""
    numbers = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


@cache
def recorded() -> Records:
    """What came with mlxlint."""
    return read()


def package_of(key: str) -> str:
    """The package whose releases a rule or a check is about: ``mlx`` or ``mlx-lm``."""
    return "mlx-lm" if key.startswith(OF_MLX_LM) else "mlx"


def by_release(code: str, records: Records | None = None) -> dict[str, list[Seen]]:
    """What was seen of a rule on each release of its package, oldest first; runs that skipped it left out."""
    found: dict[str, list[Seen]] = {}
    entries = (recorded() if records is None else records).get(code, {})
    for run, seen in sorted(entries.items(), key=lambda entry: order(entry[0])):
        version = run.version(package_of(code))
        if version is not None and seen.status != "skipped":
            found.setdefault(version, []).append(seen)
    return dict(sorted(found.items(), key=lambda entry: release(entry[0])))


def releases_holding(code: str, records: Records | None = None) -> list[str]:
    """The releases on which a rule's hazard was seen, oldest first."""
    return [
        version for version, seen in by_release(code, records).items() if any(one.status == "confirmed" for one in seen)
    ]


def holds(code: str, target: str, records: Records | None = None) -> bool | None:
    """Whether a rule's hazard was seen on a target such as ``0.31`` or ``0.31.1``; None when that was not observed.

    The newest recorded release of that series speaks, or, where the series was not run, the newest one before it.
    """
    wanted = release(target)
    seen = by_release(code, records)
    series = [version for version in seen if release(version)[: len(wanted)] == wanted]
    before = [version for version in seen if release(version) < wanted]
    for version in reversed(series or before):
        statuses = {one.status for one in seen[version]}
        if "confirmed" in statuses:
            return True
        if "refuted" in statuses:
            return False
    return None


@dataclass(frozen=True)
class Span:
    """Successive releases on which one status was seen at one place; ``text`` is what the newest of them showed."""

    place: str
    releases: tuple[str, ...]
    status: str
    text: str


def spans(entries: Mapping[Run, Seen], package: str) -> list[Span]:
    """What was seen in some runs, place by place, oldest release first."""
    by_place: dict[str, dict[str, Seen]] = {}
    for run in sorted(entries, key=order):
        version = run.version(package)
        if version is not None:
            by_place.setdefault(place(run), {})[version] = entries[run]
    return [span for name in sorted(by_place) for span in _spans(name, by_place[name])]


def _spans(name: str, by_release: Mapping[str, Seen]) -> Iterator[Span]:
    in_order = sorted(by_release.items(), key=lambda entry: release(entry[0]))
    for status, group in groupby(in_order, key=lambda entry: entry[1].status):
        versions, seen = zip(*group, strict=True)
        yield Span(name, versions, status, seen[-1].text)


def place(run: Run) -> str:
    return f"{run.platform.replace('-', ' ')}, {run.device}"


def releases(versions: Iterable[str]) -> str:
    """The first and the last of some releases, and how many they are."""
    first, *others = versions
    return f"{first} to {others[-1]} ({1 + len(others)} releases)" if others else first
