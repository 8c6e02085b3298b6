"""``python -m mlxlint.dev``."""

from __future__ import annotations

from pathlib import Path

import click

from mlxlint.dev.new_rule import Taken, families, scaffold


@click.group()
def main() -> None:
    """Tools for those who work on mlxlint."""


@main.command("new-rule")
@click.argument("name")
@click.option("--family", type=click.Choice(sorted(families())), required=True)
@click.option("--root", type=click.Path(exists=True, path_type=Path), default=".", help="The checkout.")
def new_rule(name: str, family: str, root: Path) -> None:
    """Write the module and the fixture of a rule, with the next free code of its family."""
    try:
        for path in scaffold(name, family, root):
            click.echo(f"wrote {path}")
    except Taken as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
