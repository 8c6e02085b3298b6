"""Recorded evidence as Markdown: what was seen of a rule or a check, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from mlxlint.evidence import Records, Seen, order, place, recorded, release, releases, spans

Row = tuple[str, ...]
PACKAGES = {"mlx": "MLX", "mlx-lm": "MLX-LM"}
_NUMBER = re.compile(r"-?\d[\d.]*(?:e[+-]?\d+)?")


def evidence_table(key: str, package: str) -> str:
    """The evidence of one rule or check."""
    rows = [
        (releases(span.releases), span.place, span.status, code(span.text))
        for span in spans(recorded().get(key, {}), package)
    ]
    if not rows:
        return "No release is on record yet."
    return table((PACKAGES[package], "where", "result", "seen, on the newest of them"), rows)


def runs_table() -> str:
    """Where reproductions have been run."""
    runs = {run for entries in recorded().values() for run in entries}
    rows = []
    for name, group in groupby(sorted(runs, key=place), key=place):
        found = list(group)
        for package, title in PACKAGES.items():
            versions = {version for run in found if (version := run.version(package))}
            if versions:
                rows.append((name, title, ", ".join(sorted(versions, key=release))))
    return table(("where", "package", "releases"), rows)


def device_differences(records: Records | None = None) -> list[tuple[str, str, list[Seen]]]:
    """What differs by device on one release of MLX, numbers apart: rule or check, release, what each device showed."""
    found = []
    for key, entries in (recorded() if records is None else records).items():
        ran = [seen for run, seen in sorted(entries.items(), key=lambda entry: order(entry[0])) if _ran(seen)]
        for version, group in groupby(ran, key=lambda seen: seen.run.mlx):
            by_device = {seen.run.device: seen for seen in group}
            if len({(seen.status, _NUMBER.sub("#", seen.text)) for seen in by_device.values()}) > 1:
                found.append((key, version, list(by_device.values())))
    return found


def _ran(seen: Seen) -> bool:
    return seen.status != "skipped"


def table(heads: Row, rows: Iterable[Row]) -> str:
    """A Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(text: str) -> str:
    """Markdown as it may stand in a table."""
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """Text shown as it is, in a table too (where bars between backticks separate nothing); nothing for no text."""
    if not text:
        return ""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{text}{pad}{fence}"
