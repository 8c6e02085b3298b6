#!/usr/bin/env python3
"""Whole-process time: mlxlint cold and warm, beside LibCST's bare parse of the same files and beside other tools.

    python benchmarks/speed.py                         three published packages, each tool on each
    python benchmarks/speed.py --tree FOLDER           another tree; may be given several times
    python benchmarks/speed.py --peers FOLDER          FOLDER/bin holds the other tools, as a virtual environment does
    python benchmarks/speed.py --start                 what it takes to start: the version, and one file of 250 lines
    python benchmarks/speed.py --growth docs/growth.svg   time and memory up to a million lines, and draw them

The packages are wheels of fixed versions, downloaded and unpacked into a cache folder; nothing of them is installed or
run. The tools run one after the other in each round, so that what slows the machine slows them all; the medians over
the rounds are shown. Time is that of the processor, of all of a tool's processes; one that takes longer than
``--limit`` is stopped, and what it took until then is shown with a ``>``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from real_world import VERSIONS, unpacked

HERE = Path(__file__).resolve().parent
TREES = {
    "mlx-lm": (VERSIONS["mlx-lm"], "mlx_lm"),
    "mlx-vlm": (VERSIONS["mlx-vlm"], "mlx_vlm"),
    "transformers": ("5.23.0", "transformers"),
}
FLOOR, COLD, WARM = "LibCST's bare parse", "mlxlint", "mlxlint, all cached"
SLOW = ("fixit", "pyright", "pyright, imports found")  # run once
FINE = (0, 1)  # exit codes; 1: findings
CHECK = [
    sys.executable,
    "-m",
    "mlxlint",
    "check",
    "--jobs",
    "1",
    "--isolated",
    "--exit-zero",
    "--output-format",
    "concise",
]
COPIES = (1, 2, 4, 8, 16, 32)
MEGABYTE = 1 << 20


class Usage(NamedTuple):
    """What one process and those it waited for took."""

    seconds: float
    bytes: int
    stopped: bool = False


@dataclass
class Tool:
    command: list[str]
    usages: list[Usage] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return statistics.median(usage.seconds for usage in self.usages)

    @property
    def bytes(self) -> int:
        return max(usage.bytes for usage in self.usages)

    @property
    def stopped(self) -> bool:
        return any(usage.stopped for usage in self.usages)


def run(command: Sequence[str], limit: float = 3600, folder: str | None = None) -> Usage:
    """Raises:
    SystemExit: when the command fails.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=errors, cwd=folder, start_new_session=True
        )
        stopped = threading.Event()
        timer = threading.Timer(limit, lambda: (stopped.set(), os.killpg(process.pid, signal.SIGTERM)))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in FINE and not stopped.is_set():
            errors.seek(0)
            raise SystemExit(
                f"{' '.join(command)}\nexited with {process.returncode}:\n{errors.read().decode()[-2000:]}"
            )
    size = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Usage(usage.ru_utime + usage.ru_stime, size, stopped.is_set())


def tools(tree: Path, peers: Path) -> dict[str, Tool]:
    """What is run on a tree: the floor, mlxlint, and those peers that are there."""
    bare = [sys.executable, str(HERE / "bare_parse.py"), str(tree)]
    found = {FLOOR: Tool(bare), COLD: Tool([*CHECK, "--no-cache", str(tree)]), WARM: Tool([*CHECK, str(tree)])}
    commands = {
        "ruff": ["ruff", "check", "--no-cache", "--isolated", "--quiet"],
        "flake8": ["flake8", "--isolated", "--select=TOR", "--jobs=1"],
        "pyright": ["pyright", "--threads", "1"],
        "pyright, imports found": ["pyright", "--threads", "1", "--pythonpath", sys.executable],
        "fixit": ["fixit", "--quiet", "lint"],
    }
    for name, (program, *arguments) in commands.items():
        if (peers / program).exists():
            found[name] = Tool([str(peers / program), *arguments, str(tree)])
    return found


def measure(tree: Path, peers: Path, rounds: int, limit: float) -> dict[str, Tool]:
    found = tools(tree, peers)
    with tempfile.TemporaryDirectory() as folder:  # where the cache is, filled once
        run(found[WARM].command, folder=folder)
        for index in range(rounds):
            for name, tool in found.items():
                if index == 0 or name not in SLOW:
                    tool.usages.append(run(tool.command, limit, folder))
    return found


def show(title: str, found: Mapping[str, Tool], floor: str) -> None:
    unit = found[floor].seconds
    print(f"\n{title}\n{'':<30}{'CPU s':>10}{'x ' + floor:>24}{'MB':>8}")
    for name, tool in found.items():
        mark = ">" if tool.stopped else ""
        seconds, ratio = f"{mark}{tool.seconds:.2f}", f"{mark}{tool.seconds / unit:.2f}"
        print(f"{name:<30}{seconds:>10}{ratio:>24}{tool.bytes / MEGABYTE:>8.0f}")


def size(tree: Path) -> tuple[int, int]:
    """Files and lines of Python."""
    counts = [path.read_bytes().count(b"\n") for path in tree.rglob("*.py")]
    return len(counts), sum(counts)


# Starting


def start(lm: Path, rounds: int) -> dict[str, dict[str, Tool]]:
    """What it takes to say the version, and to check one file without any cache."""
    with tempfile.TemporaryDirectory() as folder:
        file = shutil.copy(lm / "models" / "mamba2.py", folder)
        parse = f"import libcst; libcst.parse_module(open({file!r}, 'rb').read())"
        both = {
            "version": {
                "import click": Tool([sys.executable, "-c", "import click"]),
                "mlxlint --version": Tool([sys.executable, "-m", "mlxlint", "--version"]),
            },
            "one file": {
                "import libcst, parse": Tool([sys.executable, "-c", parse]),
                "mlxlint, no cache": Tool([*CHECK, "--no-cache", file]),
                "mlxlint, cached": Tool([*CHECK, file]),
            },
        }
        for _ in range(rounds + 1):
            for found in both.values():
                for tool in found.values():
                    tool.usages.append(run(tool.command, folder=folder))
        for found in both.values():
            for tool in found.values():
                del tool.usages[0]  # which may have written byte code, or filled the cache
    return both


# Growth


class Point(NamedTuple):
    lines: int
    seconds: float
    bytes: int


def growth(package: Path) -> list[Point]:
    """Cold runs in one process over more and more copies of a package, each under its own name."""
    points = []
    lines = size(package)[1]
    with tempfile.TemporaryDirectory() as folder:
        made = 0
        for copies in COPIES:
            while made < copies:
                copied = shutil.copytree(package, Path(folder, f"copy{made}", package.name))
                for file in copied.rglob("*.py"):  # no two texts alike: a text is parsed once
                    file.write_bytes(file.read_bytes() + b"\n# %d\n" % made)
                made += 1
            usage = run([*CHECK, "--no-cache", folder], folder=folder)
            points.append(Point(lines * copies, usage.seconds, usage.bytes))
            print(f"{points[-1].lines:>10} lines {usage.seconds:>8.1f} s {usage.bytes / MEGABYTE:>6.0f} MB", flush=True)
    return points


WIDTH, HEIGHT, MARGIN = 720, 320, 56


def drawing(points: Sequence[Point]) -> str:
    """An SVG with time on the left axis and memory on the right one."""
    most = max(point.lines for point in points)
    seconds = max(point.seconds for point in points) * 1.1
    megabytes = 400.0

    def line(values: Sequence[float], top: float, color: str) -> str:
        places = [
            (MARGIN + point.lines / most * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - value / top * (HEIGHT - 2 * MARGIN))
            for point, value in zip(points, values)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in places)
        return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>{dots}'

    def text(x: float, y: float, words: str, anchor: str = "middle", color: str = "#555") -> str:
        return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{words}</text>'

    bottom, right = HEIGHT - MARGIN, WIDTH - MARGIN
    marks = [
        text(MARGIN + share * (WIDTH - 2 * MARGIN), bottom + 18, f"{most * share / 1e6:.2g} M")
        for share in (0.25, 0.5, 0.75, 1)
    ]
    for share in (0, 0.5, 1):
        y = bottom - share * (HEIGHT - 2 * MARGIN) + 4
        marks.append(text(MARGIN - 8, y, f"{seconds * share:.0f} s", "end", "#b5541c"))
        marks.append(text(right + 8, y, f"{megabytes * share:.0f} MB", "start", "#1c6fb5"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">'
        f'<path d="M{MARGIN},{MARGIN} V{bottom} H{right} V{MARGIN}" fill="none" stroke="#999"/>'
        f"{''.join(marks)}{text(WIDTH / 2, bottom + 40, 'lines of Python')}"
        f"{text(WIDTH / 2, 24, 'mlxlint without a cache, one process: processor time and memory')}"
        f"{line([point.seconds for point in points], seconds, '#b5541c')}"
        f"{line([point.bytes / MEGABYTE for point in points], megabytes, '#1c6fb5')}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--tree", action="append", metavar="NAME|FOLDER", help=f"one of {', '.join(TREES)}, or a folder"
    )
    parser.add_argument("--peers", type=Path, default=Path(sys.prefix), help="environment of the other tools")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which a tool is stopped")
    parser.add_argument("--start", action="store_true", help="measure starting instead of trees")
    parser.add_argument("--growth", type=Path, metavar="FILE", help="measure growth instead of trees, and draw it")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "mlxlint-real-world")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the seconds there too")
    parser.add_argument("--max-ratio", type=float, help="fail when mlxlint takes more than this many bare parses")
    options = parser.parse_args()

    def folder(name: str) -> Path:
        if name not in TREES:
            return Path(name).resolve()
        version, package = TREES[name]
        return unpacked(name, options.cache, version) / package

    if options.growth:
        options.growth.write_text(drawing(growth(folder("mlx-lm"))), encoding="utf-8")
        return
    results: dict[str, dict[str, Tool]] = {}
    if options.start:
        results = start(folder("mlx-lm"), options.rounds)
        for title, found in results.items():
            show(title, found, next(iter(found)))
    for name in () if options.start else options.tree or TREES:
        tree = folder(name)
        results[name] = measure(tree, options.peers / "bin", options.rounds, options.limit)
        files, lines = size(tree)
        show(f"{name}: {files} files, {lines} lines", results[name], FLOOR)
    if options.json:
        seconds = {title: {name: tool.seconds for name, tool in found.items()} for title, found in results.items()}
        options.json.write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")
    for name, found in results.items():
        if options.max_ratio and COLD in found and found[COLD].seconds > options.max_ratio * found[FLOOR].seconds:
            raise SystemExit(f"{name}: mlxlint takes more than {options.max_ratio} bare parses")


if __name__ == "__main__":
    main()
