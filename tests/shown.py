"""Commands that pages show: that they, and the options they are given, exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click

from mlxlint.cli import cli

OPERATORS = {"|", "&&", ";", "||", "2>&1"}


def commands(text: str) -> Iterator[list[str]]:
    """The words of each call of mlxlint in a text: between backticks, behind a prompt, or in a list of YAML."""
    for found in re.findall(r"`(mlxlint [^`\n]+)`|^\s*(?:\$|- run:|-) (mlxlint .+)$", text, flags=re.MULTILINE):
        words = shlex.split("".join(found), comments=True)
        end = next((at for at, word in enumerate(words) if word in OPERATORS), len(words))
        yield words[1:end]


def unknown_options(words: list[str]) -> set[str]:
    """Those options of a call that its command does not have.

    Raises:
        click.UsageError: when there is no such command.
    """
    context = click.Context(cli, info_name="mlxlint")
    name, command, words = cli.resolve_command(
        context, words if words[0] in cli.list_commands(context) else ["check", *words]
    )
    while isinstance(command, click.Group) and words:
        context = click.Context(command, info_name=name, parent=context)
        name, command, words = command.resolve_command(context, words)
    assert command is not None
    known = {
        option for parameter in command.get_params(context) for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"} - known
