#!/usr/bin/env python3
"""What mlxlint says of packages that others wrote, and what of that has changed since the snapshot.

    python benchmarks/real_world.py                    lint all packages and print what changed
    python benchmarks/real_world.py --only mlx-vlm     one package; may be given several times
    python benchmarks/real_world.py --short            mlx and mlx-lm, those installed if of the right version
    python benchmarks/real_world.py --update           make what was found the snapshot
    python benchmarks/real_world.py --table            the snapshot in numbers, as docs/real-world.md shows it

Wheels of fixed versions are downloaded and unpacked into a cache folder; nothing of them is installed or run. The exit
code is 1 when something changed. The snapshot holds each finding by the text of its line, with the verdict of whoever
looked at it: ``true``, ``false``, or nothing. Verdicts are written by hand and survive an update.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SNAPSHOT = Path(__file__).with_suffix(".json")
VERSIONS = {
    "mlx": "0.32.4",
    "mlx-lm": "0.32.2",
    "mlx-vlm": "0.7.10",
    "mlx-audio": "0.6.2",
    "mlx-whisper": "0.4.3",
    "mflux": "0.24.0",
    "mlx-embeddings": "0.1.0",
    "demucs-mlx": "1.6.1",
    "f5-tts-mlx": "0.2.6",
    "lightning-whisper-mlx": "0.0.10",
    "mlx-graphs": "0.0.10",
    "mlx-image": "0.1.10",
    "mlx-optimizers": "0.4.1",
    "parakeet-mlx": "0.7.0",
    "vllm-mlx": "0.6.0",
}
SHORT = ("mlx", "mlx-lm")
WHEELS = ("--only-binary", ":all:", "--platform", "macosx_15_0_arm64", "--python-version", "3.12")
SEVERITIES = ("error", "warning", "info")
VERDICTS = ("true", "false", "")


class Entry(NamedTuple):
    """A finding without its place: ``line`` is the text of its line with white space evened out."""

    path: str
    severity: str
    rule: str
    line: str


@dataclass
class Package:
    """One version of a package: its size, its findings with how many of each, and what was thought of them."""

    version: str
    files: int = 0
    lines: int = 0
    findings: Counter[Entry] = field(default_factory=Counter)
    verdicts: dict[Entry, str] = field(default_factory=dict)

    def count(self, severities: Iterable[str], verdict: str | None = None) -> int:
        return sum(
            count
            for entry, count in self.findings.items()
            if entry.severity in severities and verdict in (None, self.verdicts.get(entry, ""))
        )


Snapshot = dict[str, Package]


def read(path: Path) -> Snapshot:
    """Raises:
    ValueError: when a verdict is none.
    """
    if not path.exists():
        return {}
    snapshot: Snapshot = {}
    for name, data in json.loads(path.read_text(encoding="utf-8")).items():
        package = snapshot[name] = Package(data["version"], data["files"], data["lines"])
        for *entry, count, verdict in data["findings"]:
            if verdict not in VERDICTS:
                raise ValueError(f"{path.name}: {verdict!r} is no verdict; use one of {VERDICTS}")
            package.findings[Entry(*entry)] = count
            package.verdicts[Entry(*entry)] = verdict
    return snapshot


def write(path: Path, snapshot: Mapping[str, Package]) -> None:
    """One finding a line, in an order that does not depend on the run."""
    parts = []
    for name, package in snapshot.items():
        rows = [
            json.dumps([*entry, count, package.verdicts.get(entry, "")], ensure_ascii=False)
            for entry, count in sorted(package.findings.items())
        ]
        head = f'"version": "{package.version}", "files": {package.files}, "lines": {package.lines}'
        parts.append(f'"{name}": {{{head}, "findings": [' + "".join(f"\n  {row}," for row in rows).rstrip(",") + "\n]}")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def unpacked(name: str, cache: Path, version: str | None = None) -> Path:
    """The folder of a package's wheel, downloaded when it is not there; by default of the version in the snapshot.

    Raises:
        SystemExit: when it cannot be downloaded.
    """
    version = version or VERSIONS[name]
    folder = cache / f"{name}-{version}"
    if not folder.exists():
        wheels = cache / "wheels"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *WHEELS, "--dest", str(wheels)]
        if subprocess.run([*command, f"{name}=={version}"]).returncode:
            raise SystemExit(f"{name} {version} cannot be downloaded")
        [wheel] = wheels.glob(f"{name.replace('-', '_')}-{version}-*.whl")
        unfinished = folder.with_suffix(".part")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unfinished)
        unfinished.rename(folder)
    return folder


def installed(name: str) -> Path | None:
    """The folder of an installed package, if it is of the version wanted."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(distribution.locate_file(name.replace("-", "_"))))
    return folder if distribution.version == VERSIONS[name] and folder.is_dir() else None


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".pyi"))


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def lint(folder: Path, root: Path, version: str) -> Package:
    """The findings in a folder, by paths from ``root``.

    Raises:
        SystemExit: when mlxlint did not report.
    """
    command = [sys.executable, "-m", "mlxlint", "check", "--isolated", "--no-cache", "--exit-zero"]
    done = subprocess.run([*command, "--output-format", "json", str(folder)], capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(f"mlxlint ended with {done.returncode} on {folder}:\n{done.stderr[-2000:]}")
    files = sources(folder)
    package = Package(version, len(files), sum(len(lines_of(path)) - 1 for path in files))
    texts: dict[str, list[str]] = {}
    for found in json.loads(done.stdout):
        path = found["filename"]
        text = texts.setdefault(path, lines_of(Path(path)))[found["location"]["row"] - 1]
        place = os.path.relpath(path, root).replace(os.sep, "/")
        package.findings[Entry(place, found["severity"], found["name"], " ".join(text.split()))] += 1
    return package


def changes(old: Package, new: Package) -> Iterator[tuple[str, Entry]]:
    """What is found now and was not (``+``), and what was and is not any more (``-``), as often as it is so."""
    differences = [("-", entry) for entry in (old.findings - new.findings).elements()]
    differences += [("+", entry) for entry in (new.findings - old.findings).elements()]
    yield from sorted(differences, key=lambda change: (change[1], change[0]))


def place(entry: Entry, root: Path) -> str:
    """The file with the first row that has an entry's text."""
    texts = lines_of(root / entry.path) if (root / entry.path).exists() else []
    row = next((row for row, text in enumerate(texts, 1) if " ".join(text.split()) == entry.line), None)
    return entry.path if row is None else f"{entry.path}:{row}"


def compare(name: str, old: Package, new: Package, root: Path, seconds: float) -> int:
    """Print what changed in a package; how much that is."""
    counts = ", ".join(f"{new.count([severity])} {severity}" for severity in SEVERITIES)
    print(f"{name} {new.version}: {new.files} files, {new.lines} lines, {seconds:.0f} s; {counts}", flush=True)
    changed = 0
    for sign, entry in changes(old, new):
        changed += 1
        judged = old.verdicts.get(entry)
        remark = f"  (was judged {judged})" if sign == "-" and judged else ""
        print(f"  {sign} {place(entry, root)} {entry.severity} [{entry.rule}]{remark}\n      {entry.line}")
    return changed


def table(snapshot: Mapping[str, Package]) -> str:
    """The snapshot in numbers, as a Markdown table."""
    head = ["package", "version", "lines", "error", "warning", "info", "true", "false", "not looked at"]
    rows = [head, ["---", "---", *["---:"] * 7]]
    serious = SEVERITIES[:2]
    sums = [0] * 7
    for name, package in snapshot.items():
        counts = [package.count([severity]) for severity in SEVERITIES]
        numbers = [package.lines, *counts, *(package.count(serious, verdict) for verdict in VERDICTS)]
        sums = [total + number for total, number in zip(sums, numbers)]
        rows.append([name, package.version, *map(str, numbers)])
    rows.append(["all", "", *map(str, sums)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlxlint-real-world"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=VERSIONS, metavar="NAME", help="only this package")
    parser.add_argument("--short", action="store_true", help=f"only {' and '.join(SHORT)}")
    parser.add_argument("--update", action="store_true", help="write the snapshot")
    parser.add_argument("--table", action="store_true", help="print the snapshot's table and lint nothing")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where packages are unpacked [%(default)s]")
    options = parser.parse_args(arguments)

    snapshot = read(SNAPSHOT)
    if options.table:
        print(table(snapshot))
        return 0
    changed = 0
    for name in options.only or (SHORT if options.short else VERSIONS):
        found = installed(name) if options.short else None
        folder = found or unpacked(name, options.cache)
        root = folder.parent if found else folder
        started = time.monotonic()
        package = lint(folder, root, VERSIONS[name])
        old = snapshot.get(name, Package(package.version))
        changed += compare(name, old, package, root, time.monotonic() - started)
        package.verdicts = {entry: old.verdicts.get(entry, "") for entry in package.findings}
        snapshot[name] = package
    print("1 change" if changed == 1 else f"{changed} changes")
    if options.update:
        write(SNAPSHOT, {name: snapshot[name] for name in VERSIONS if name in snapshot})
        return 0
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
