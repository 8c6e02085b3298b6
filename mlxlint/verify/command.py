"""``mlxlint probe`` on the command line."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlxlint.evidence import recorded, release
from mlxlint.verify import Place, VerifyError, probe
from mlxlint.verify.probe import Outcome, Report

STYLES = {"confirmed": "green", "refuted": "red", "inconclusive": "yellow", "skipped": "dim"}


@click.command("probe", short_help="Run every reproduction on this machine's MLX.")
@click.option("--device", type=click.Choice(["auto", "metal", "cuda", "cpu"]), default="auto", show_default=True)
@click.option("--select", multiple=True, metavar="NAME", help="Run these alone: codes, names, or how they begin.")
@click.option("--model", metavar="PATH", help="Also check a local MLX-LM model (default: $MLX_LM_LOCAL_MODEL).")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), help="Merge what was seen into a file of evidence."
)
@click.option("--python", metavar="PATH", help="The Python that has MLX (default: $MLXLINT_PYTHON, else this one).")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def probe_command(
    device: str, select: tuple[str, ...], model: str | None, record: Path | None, python: str | None, output_format: str
) -> None:
    """Run every rule's reproduction and the surface checks on this machine's MLX.

    Exit code 0: all is as recorded (or, on a release without a record, as stated); 1: something deviates; 2: MLX or the
    device asked for is missing.
    """
    model = model or os.environ.get("MLX_LM_LOCAL_MODEL") or None
    if model is not None and not Path(model).is_dir():
        raise click.BadParameter(f"`{model}` is not a folder", param_hint="--model")
    place = Place(device, python) if python else Place(device)
    try:
        report = probe(model=model, place=place, select=select)
    except VerifyError as error:
        click.echo(f"mlxlint: {error}", err=True)
        sys.exit(2)
    if record is not None:
        report.record(record)
    if output_format == "json":
        click.echo(json.dumps(as_json(report), indent=2))
    else:
        show(report)
    sys.exit(1 if report.deviations else 0)


def as_json(report: Report) -> dict[str, object]:
    return {
        **asdict(report.facts),
        "newest_recorded": newest_recorded("mlx"),
        "newest_recorded_mlx_lm": newest_recorded("mlx-lm"),
        "outcomes": [
            {
                "key": outcome.key, "kind": outcome.kind, "package": outcome.package, "statement": outcome.statement,
                "status": outcome.verification.status, "expected": outcome.expected, "deviates": outcome.deviates,
                "evidence": outcome.verification.evidence, "reason": outcome.verification.reason,
            }
            for outcome in report.outcomes
        ],
    }  # fmt: skip


def newest_recorded(package: str) -> str | None:
    versions = {run.version(package) for entries in recorded().values() for run in entries} - {None}
    return max((version for version in versions if version), key=release, default=None)


def show(report: Report) -> None:
    """A table for terminals: deviations are marked, and repeated at the end."""
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    facts = report.facts
    installed = f"MLX {facts.mlx}, MLX-LM {facts.mlx_lm or 'not installed'}, {facts.device} on {facts.platform}"
    console.print(
        f"{installed} (newest recorded: {newest_recorded('mlx') or 'none'}, {newest_recorded('mlx-lm') or 'none'})"
    )
    console.print(table(report.outcomes) if console.is_terminal else plain(report.outcomes))
    counts = {status: sum(outcome.verification.status == status for outcome in report.outcomes) for status in STYLES}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items()))
    for outcome in report.deviations:
        status = outcome.verification.status
        console.print(
            Text(f"{outcome.key}: {status}, expected {outcome.expected}: {outcome.text}", style=STYLES[status])
        )


def table(outcomes: list[Outcome]) -> Table:
    made = Table(box=None, pad_edge=False)
    for heading in ("", "what", "status", "statement", "seen"):
        made.add_column(heading, no_wrap=heading in ("", "what", "status"))
    for outcome in outcomes:
        status = outcome.verification.status
        mark = "!" if outcome.deviates else ""
        made.add_row(mark, outcome.key, Text(status, STYLES[status]), Text(outcome.statement), Text(outcome.text))
    return made


def plain(outcomes: list[Outcome]) -> Text:
    lines = (
        f"{outcome.key}  {outcome.verification.status}  {outcome.statement}  [{outcome.text}]" for outcome in outcomes
    )
    return Text("\n".join(lines))
