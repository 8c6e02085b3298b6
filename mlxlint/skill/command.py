"""``mlxlint skill`` on the command line: the folder is written so that nothing in it but the skill's own is touched."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import click

from mlxlint.cli import CLEAN, FINDINGS, Failure
from mlxlint.files import problem, write_whole
from mlxlint.skill.render import name_for, skill

MANIFEST = ".mlxlint-skill.json"  # which files were written, and a hash of each


@click.command("skill", short_help="Write a skill folder for coding agents.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--force", is_flag=True, help="Also overwrite files that were not written by mlxlint or were changed since."
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the folder is out of date.")
def skill_command(folder: Path, force: bool, check: bool) -> int:
    """Write what mlxlint knows as a skill for coding agents: instructions, facts with their evidence, scripts.

    A folder that was written before is brought up to date. Files of others in it are left alone.
    """
    wanted = {path: text.encode("utf-8") for path, text in skill(name_for(folder)).items()}
    try:
        known = _known(folder)
        stale = [path for path, data in wanted.items() if _read(folder / path) != data]
        gone = [path for path in known if path not in wanted and _read(folder / path) is not None]
        if check:
            for path in (*stale, *gone):
                click.echo(f"out of date: {folder / path}")
            return FINDINGS if stale or gone else CLEAN
        _refuse_foreign(folder, [*stale, *gone], known, force)
        _write(folder, wanted, stale, gone)
    except OSError as error:
        raise Failure(problem(error.filename or str(folder), error)) from None
    click.echo(f"wrote {len(stale)} of {len(wanted)} files in {folder}" if stale else f"{folder} is up to date")
    return CLEAN


def _known(folder: Path) -> dict[str, str]:
    """The files that were written before, and their hashes; none when that is not known."""
    try:
        known = json.loads(_read(folder / MANIFEST) or b"{}")
    except ValueError:
        return {}
    inside = {path: text for path, text in known.items() if _is_inside(folder, path)} if isinstance(known, dict) else {}
    return {path: text for path, text in inside.items() if isinstance(text, str)}


def _is_inside(folder: Path, path: str) -> bool:
    return (folder / path).resolve().is_relative_to(folder.resolve())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _refuse_foreign(folder: Path, paths: list[str], known: dict[str, str], force: bool) -> None:
    foreign = [
        path for path in paths if (data := _read(folder / path)) is not None and known.get(path) != _digest(data)
    ]
    if foreign and not force:
        names = ", ".join(str(folder / path) for path in foreign)
        raise Failure(f"not written by mlxlint, or changed since: {names} (--force overwrites)")


def _write(folder: Path, wanted: dict[str, bytes], stale: list[str], gone: list[str]) -> None:
    for path in stale:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(folder / path), wanted[path])
    for path in gone:
        (folder / path).unlink()
    manifest = json.dumps({path: _digest(data) for path, data in wanted.items()}, indent=1)
    write_whole(str(folder / MANIFEST), f"{manifest}\n".encode())


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
