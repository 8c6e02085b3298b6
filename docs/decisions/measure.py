#!/usr/bin/env python3
"""The numbers in the decisions, measured again: ``python docs/decisions/measure.py WHAT [PACKAGE]``.

Each measurement runs mlxlint as it is and with one decision taken back, over the files of an installed package.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameProvider

from mlxlint.concrete import Concrete
from mlxlint.context import Context
from mlxlint.engine import Analysis
from mlxlint.model import finder
from mlxlint.positions import offsets
from mlxlint.registry import rules
from mlxlint.source import Source
from mlxlint.syntax import read

ROUNDS = 3
FIXTURES = Path(__file__).parents[2] / "fixtures"


def files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed")
    return sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))


def about_mlx(package: str) -> list[Path]:
    return [path for path in files(package) if finder.names_mlx(path.read_text(encoding="utf-8"))]


def lint(paths: list[Path], concerns: Callable[[str], bool] = finder.names_mlx) -> Analysis:
    analysis = Analysis(list(rules().values()))
    analysis.project.finder.concerns = concerns
    for path in paths:
        analysis.lint(Source.decode(str(path), path.read_bytes()), path)
    return analysis


def each(run: Callable[[str], object], sources: list[str]) -> None:
    for text in sources:
        run(text)


def compare(ways: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> None:
    """CPU seconds of each way: the median of some rounds, in which they take turns, without garbage collection."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            gc.collect()
            gc.disable()
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
            gc.enable()
    for name, measured in seconds.items():
        print(f"{name:32} {statistics.median(measured):6.2f} s")


def syntax(package: str) -> None:
    """A tree of each file by LibCST and by mlxlint, and what importing them takes, in processes of their own."""
    paths = [str(path) for path in files(package)]
    run = "for p in sys.argv[1:]: read(open(p).read())"
    for name in ("libcst import parse_module", "mlxlint.syntax import read"):
        code = (
            f"import gc, sys, time; gc.disable(); from {name} as read; begun = time.process_time()\n{run}\n"
            "print(begun, time.process_time() - begun)"
        )
        outputs = [subprocess.check_output([sys.executable, "-c", code, *paths]) for _ in range(ROUNDS)]
        imported, made = (statistics.median(seconds) for seconds in zip(*(map(float, o.split()) for o in outputs)))
        print(f"from {name:32} {imported:6.2f} s imported {made:6.2f} s")


def positions(package: str) -> None:
    """Parsing alone, and with the places of nodes by several ways."""
    sources = [path.read_text(encoding="utf-8") for path in files(package)]
    print(f"{sum(text.count(chr(10)) for text in sources)} lines")

    def provide(provider: Any) -> None:
        each(lambda text: MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True).resolve(provider), sources)

    def place(text: str) -> None:
        syntax = read(text)
        if syntax.tree.body:
            middle = syntax.tree.body[len(syntax.tree.body) // 2]
            offsets(Concrete(syntax), [middle], text)

    compare(
        {
            "parse_module": lambda: each(cst.parse_module, sources),
            "syntax and one finding's place": lambda: each(place, sources),
            "parse_module and PositionProvider": lambda: provide(PositionProvider),
            "parse_module and QualifiedNames": lambda: provide(QualifiedNameProvider),
        }
    )


def calls(package: str) -> None:
    """How often rules are shown a call: by name, and if each rule saw every call."""
    shown = total = 0
    asking = [rule for rule in rules().values() if "Call" in rule.triggers()]
    original = Analysis._hooks_by_key

    def counted(analysis: Analysis, node: cst.CSTNode, context: Context) -> Any:
        nonlocal shown, total
        hooks = original(analysis, node, context)
        if isinstance(node, cst.Call):
            shown += len(hooks)
            total += 1
        return hooks

    with mock.patch.object(Analysis, "_hooks_by_key", counted):
        lint(about_mlx(package))
    print(f"{len(asking)} rules see calls, {sum(rule.calls is not None for rule in asking)} of them by name")
    print(f"{total} calls: shown to a rule {shown} times, would be {total * len(asking)} times")


def near(package: str) -> None:
    """Modules parsed when imports far from MLX are not followed, and when all are."""
    paths = about_mlx(package)

    def parsed(concerns: Callable[[str], bool]) -> None:
        print(f"{len(paths)} files name MLX, {len(lint(paths, concerns).project.syntaxes)} were parsed")

    compare(
        {"near MLX": lambda: parsed(finder.names_mlx), "everything imported": lambda: parsed(lambda _: True)}, rounds=1
    )


def importers(package: str) -> None:
    """Linting one file of a package, with importers limited and not."""
    path = Path(importlib.util.find_spec(f"{package}.models.base").origin or "")  # type: ignore[union-attr]

    def unlimited() -> None:
        with mock.patch.multiple(finder, MAX_IMPORTERS=10**9, MAX_IMPORTERS_SIZE=10**12):
            lint([path])

    compare({"limited": lambda: lint([path]), "unlimited": unlimited})


def alternatives(_package: str) -> None:
    """The fixtures' findings that are lost when a parameter has the one value that joins all it was given."""

    def found() -> set[tuple[str, str, int]]:
        analysis = Analysis(list(rules().values()))
        findings = [
            finding
            for path in FIXTURES.rglob("*.py")
            for finding in analysis.lint(Source.decode(path.name, path.read_bytes()), path)
        ]
        return {(finding.name, finding.path, finding.start.row) for finding in findings}

    kept = found()
    with mock.patch.object(Context, "alternatives", lambda context, node: (context.value(node),)):
        lost = kept - found()
    print(f"{len(kept)} findings in the fixtures, lost: {sorted(lost) or 'none'}")


MEASUREMENTS = {run.__name__: run for run in (syntax, positions, calls, near, importers, alternatives)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=MEASUREMENTS)
    parser.add_argument("package", nargs="?", default="mlx_lm")
    arguments = parser.parse_args()
    MEASUREMENTS[arguments.what](arguments.package)
