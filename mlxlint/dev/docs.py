"""The pages of the site that come from the code: one per rule, their index, the settings, the command line's help.

MkDocs loads this module as a hook, so that no generated page is kept in the repository or can be out of date.
"""

from __future__ import annotations

import importlib
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import click

from mlxlint.cli import cli
from mlxlint.config import KEYS
from mlxlint.registry import rules
from mlxlint.rule import Rule

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site and its navigation."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    assert config.nav is not None
    for entry in config.nav:
        if entry == {"Rules": "rules/index.md"}:
            entry["Rules"] = ["rules/index.md", *({title: nav} for title, nav in rule_navigation())]
    return files


def pages() -> dict[str, str]:
    """Path below docs/ -> Markdown."""
    found = {page_of(rule): rule_page(rule) for rule in rules().values()}
    return {"rules/index.md": rule_index(), "settings.md": settings(), "command-line.md": command_line(), **found}


def page_of(rule: Rule) -> str:
    return f"rules/{rule.name}.md"


def family(rule: Rule) -> str:
    """What a rule's family is about, as its package says: "MLX1xx: indexing, copies and in-place updates"."""
    package = importlib.import_module(type(rule).__module__.rpartition(".")[0])
    return (package.__doc__ or "").strip().rstrip(".")


def by_family() -> Iterator[tuple[str, list[Rule]]]:
    for title, group in groupby(rules().values(), family):
        yield title, list(group)


def rule_navigation() -> Iterator[tuple[str, list[str]]]:
    for title, group in by_family():
        yield title.partition(", ")[0], [page_of(rule) for rule in group]


def rule_index() -> str:
    parts = ["# Rules\n"]
    for title, group in by_family():
        parts.append(f"## {title}\n\n| code | rule | what it finds | kind | fix |\n| --- | --- | --- | --- | --- |")
        for rule in group:
            row = (rule.code, f"[{rule.name}]({rule.name}.md)", rule.summary(), rule.kind.value, rule.fixable.value)
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
        parts.append("")
    return "\n".join(parts)


def rule_page(rule: Rule) -> str:
    facts = [f"**{rule.code}**", rule.kind.value, f"severity {rule.severity.value}", f"fix: {rule.fixable.value}"]
    if rule.aliases:
        facts.append("also known as " + ", ".join(f"`{alias}`" for alias in rule.aliases))
    parts = [f"# {rule.name}", " · ".join(facts), rule.documentation()]
    if rule.repro is not None:
        parts += ["## Reproduction", "What `--verify` runs on the installed MLX:", reproduction(rule)]
    return "\n\n".join(parts) + "\n"


def reproduction(rule: Rule) -> str:
    assert rule.repro is not None
    return f"```python\n{textwrap.dedent(inspect.getsource(rule.repro))}```"


def settings() -> str:
    """Every key of the configuration."""
    parts = ["# Settings", "The keys of `[tool.mlxlint]`; each that has an option on the command line is named alike."]
    for name, key in KEYS.items():
        default = "" if key.default is None else f" Default: `{json.dumps(key.default)}`."
        parts.append(f"## {name}\n\n{key.doc}\n\n*{key.type}.*{default}")
    return "\n\n".join(parts) + "\n"


def command_line() -> str:
    """The help text of every command."""
    parts = ["# Command line"]
    context = click.Context(cli, info_name="mlxlint")
    for name in sorted(cli.list_commands(context)):
        command = cli.get_command(context, name)
        assert command is not None
        parts.append(f"## mlxlint {name}\n\n```text\n{help_text(command, context, name)}\n```")
    return "\n\n".join(parts) + "\n"


def help_text(command: click.Command, parent: click.Context, name: str) -> str:
    return click.Context(command, info_name=name, parent=parent, max_content_width=100).get_help()
