"""Pages to follow by copy and paste: ``python -m mlxlint.dev.walkthrough PAGE...`` runs them, and writes what is seen.

In order of the page, a block with a title is written as the file of that name, and each command of a ``console`` block
is run where those files are; the lines below a command are what it printed. A block below ``<!-- not run -->`` is left
alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import click

BLOCK = re.compile(
    r'^(?P<skip><!-- not run -->\n)?```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$',
    flags=re.MULTILINE | re.DOTALL,
)
PROMPT = "$ "
TIMEOUT = 300
VARIES = {  # what another machine or release may print
    r"\(\d+\.\d+ s\)": "(# s)",
    r"MLX(-LM)? \d[\w.]*": r"MLX\1 #",
    r"\bon (cpu|cuda|metal)\b": "on #",
    r"-?\d+\.\d+(e[+-]?\d+)?": "#",
}


def executed(page: str, folder: Path) -> str:
    """A page as it is when its files are written below a folder and its commands run there, with an environment."""
    work, programs = folder / "work", environment(folder / "environment")
    work.mkdir()
    return BLOCK.sub(lambda block: _executed(block, work, programs), page)


def environment(folder: Path) -> Path:
    """Make an environment that has all of this one's packages and takes further ones; its folder of programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    programs = folder / "bin"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "outer.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in sys.path if path.endswith("site-packages"))
    )
    for name, module in {"mlxlint": "mlxlint", "pip": "pip"}.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{programs}/python" -m {module} "$@"\n')
        program.chmod(0o755)
    return programs


def _executed(block: re.Match[str], folder: Path, programs: Path) -> str:
    if block["skip"]:
        return block[0]
    if block["title"]:
        path = folder / block["title"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["body"], encoding="utf-8")
    if block["language"] != "console":
        return block[0]
    commands = [line for line in block["body"].splitlines() if line.startswith(PROMPT)]
    shown = "".join(f"{line}\n{printed(line[len(PROMPT) :], folder, programs)}" for line in commands)
    now = f"```console\n{shown}```"
    return block[0] if settled(now) == settled(block[0]) else now


def printed(command: str, folder: Path, programs: Path) -> str:
    """What a command prints, in a shell that finds some programs first."""
    path = os.pathsep.join((str(programs), os.environ.get("PATH", "")))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLXLINT_", "FORCE_COLOR"))}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=kept | {"PATH": path, "NO_COLOR": "1", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT,
    )  # fmt: skip
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return "".join(line.rstrip() + "\n" for line in lines)


def settled(text: str) -> str:
    """Text without what varies between machines and releases."""
    for pattern, replacement in VARIES.items():
        text = re.sub(pattern, replacement, text)
    return text


@click.command()
@click.argument("pages", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(pages: tuple[Path, ...]) -> None:
    """Run the commands of each page and write what they print into it."""
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            page.write_text(executed(page.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
