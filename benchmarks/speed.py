#!/usr/bin/env python3
"""Whole-process time on one tree: mlxlint beside LibCST's bare parse, Fixit and flake8 with TorchFix.

Every tool runs from the start, without a cache, one after the other in each round, so that what slows the machine
slows them all; the medians over the rounds are shown. CPU time counts all of a tool's processes.

    python benchmarks/speed.py --peers FOLDER     FOLDER/bin holds fixit and flake8, as a virtual environment does
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
FLOOR, OURS = "bare parse", "mlxlint"
EXIT_CODES = (0, 1)  # 1: findings


@dataclass
class Times:
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: name a tree with --tree")
    return Path(spec.submodule_search_locations[0])


def commands(tree: Path, peers: Path) -> dict[str, list[str]]:
    """What is run: the floor, mlxlint, and those peers that are there."""
    mlxlint = [sys.executable, "-m", "mlxlint", "check", "--jobs", "1", "--no-cache", "--isolated", "--exit-zero"]
    found = {FLOOR: [sys.executable, str(HERE / "bare_parse.py"), str(tree)], OURS: [*mlxlint, str(tree)]}
    if (peers / "fixit").exists():
        found["fixit"] = [str(peers / "fixit"), "--quiet", "lint", str(tree)]
    if (peers / "flake8").exists():
        found["flake8 + torchfix"] = [str(peers / "flake8"), "--isolated", "--select=TOR", "--jobs=1", str(tree)]
    return found


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(command: Sequence[str], times: Times) -> None:
    cpu, wall = children_cpu(), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    times.wall.append(time.perf_counter() - wall)
    times.cpu.append(children_cpu() - cpu)
    if done.returncode not in EXIT_CODES:
        raise SystemExit(f"{' '.join(command)}\nexited with {done.returncode}:\n{done.stderr[-2000:]}")


def table(measured: Mapping[str, Times]) -> list[dict[str, float | str]]:
    floor = statistics.median(measured[FLOOR].cpu)
    return [
        {
            "tool": tool,
            "cpu": round(statistics.median(times.cpu), 2),
            "wall": round(statistics.median(times.wall), 2),
            "ratio": round(statistics.median(times.cpu) / floor, 2),
        }
        for tool, times in measured.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, help="what is checked (default: the mlx_lm installed)")
    parser.add_argument("--peers", type=Path, default=Path(sys.prefix), help="environment of Fixit, flake8, TorchFix")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--max-ratio", type=float, help="fail when mlxlint takes more than this many bare parses")
    options = parser.parse_args()

    tree = (options.tree or installed("mlx_lm")).resolve()
    tools = commands(tree, options.peers / "bin")
    measured = {tool: Times() for tool in tools}
    for _ in range(options.rounds):
        for tool, command in tools.items():
            run(command, measured[tool])

    rows = table(measured)
    texts = [path.read_text(encoding="utf-8") for path in tree.rglob("*.py")]
    print(f"{len(texts)} files, {sum(text.count(chr(10)) for text in texts)} lines; medians of {options.rounds} rounds")
    print(f"{'tool':<20}{'CPU s':>8}{'wall s':>8}{'x bare parse':>14}")
    for row in rows:
        print("{tool:<20}{cpu:>8.2f}{wall:>8.2f}{ratio:>14.2f}".format(**row))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    ours = next(row["ratio"] for row in rows if row["tool"] == OURS)
    if options.max_ratio is not None and float(ours) > options.max_ratio:
        raise SystemExit(f"mlxlint takes {ours} times the bare parse, more than {options.max_ratio}")


if __name__ == "__main__":
    main()
