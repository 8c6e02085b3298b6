"""``mlxlint audit`` on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from mlxlint.audit import report
from mlxlint.audit.auditor import survey
from mlxlint.audit.survey import Survey
from mlxlint.cli import CLEAN, FAILURE, emit, failures, progress, say, write_report
from mlxlint.config import Configuration
from mlxlint.files import collect


@click.command("audit", short_help="What a port of PyTorch code to MLX will meet, before it is begun.")
@click.argument("paths", nargs=-1, type=click.Path(readable=False))
@click.option("--output-format", type=click.Choice(list(report.FORMATS)), default="text", help="How [text].")
@click.option("--output-file", type=click.Path(dir_okay=False), help="Write the report to a file.")
@click.option("--all", "everything", is_flag=True, help="Text: every name, place and file, not the first few.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Worker processes [one a processor].")
@click.option("--isolated", is_flag=True, help="Read no config file.")
@click.option("--config", type=click.Path(dir_okay=False), help="The config file for all paths.")
def audit_command(
    paths: tuple[str, ...], output_format: str, output_file: str | None, everything: bool, jobs: int | None,
    isolated: bool, config: str | None,
) -> int:  # fmt: skip
    """Read PyTorch code (default: the working folder) as if it were MLX already, and tell what a port will meet.

    Every name of PyTorch in use with its way in MLX, the hazards with their places, the files with most work first,
    and the share of the uses that ports mechanically. Nothing of the code is run.
    """
    if isolated and config:
        raise click.UsageError("--isolated and --config exclude each other")
    with failures(), progress() as advance:
        found = collect(paths or (".",), Configuration(config=config, isolated=isolated))
        audited = survey(found.files, jobs=jobs, advance=advance)
    for problem in (*found.problems, *audited.problems):
        say("error", problem)
    _write(audited, output_format, output_file, everything)
    return FAILURE if found.problems or audited.problems else CLEAN


def _write(audited: Survey, output_format: str, path: str | None, everything: bool) -> None:
    def write(out: TextIO) -> None:
        report.write(output_format, audited, Path.cwd(), everything, out)

    to: Callable[[Callable[[TextIO], None]], object] = emit if path is None else lambda write: write_report(path, write)
    to(write)
