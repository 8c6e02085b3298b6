"""The pages of the site that come from the code: rules, evidence, changes, the skill, settings, the command line.

MkDocs loads this module as a hook, so that no generated page is kept in the repository or can be out of date. The one
generated part that is kept is the README's table of families: ``python -m mlxlint.dev.docs`` writes it anew.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlxlint.cli import cli
from mlxlint.config import KEYS
from mlxlint.dev.evidence_tables import PACKAGES, cell, code, device_differences, evidence_table, runs_table, table
from mlxlint.evidence import package_of
from mlxlint.families import Family, families
from mlxlint.registry import rules
from mlxlint.releases.changes import Changes, Turn, changes, known
from mlxlint.rule import Rule
from mlxlint.skill.render import skill
from mlxlint.verify import mlx_lm_surface, mlx_surface

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

README = Path(__file__).parents[2] / "README.md"
OPEN, CLOSE = "<!-- families -->\n\n", "\n\n<!-- end of families -->"
READING = "How to read this: [Verification](../verification.md). All runs: [Evidence](../evidence.md)."


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


@cache
def pages() -> dict[str, str]:
    """Path below docs/ -> Markdown."""
    generated = {
        "rules/index.md": rule_index(),
        "evidence.md": evidence(),
        "settings.md": settings(),
        "command-line.md": command_line(),
        **{f"changes/{package}.md": changes_page(package) for package in PACKAGES},
        **{f"skill/{path}": text for path, text in skill("mlx").items() if path.endswith(".md")},
    }
    return generated | {page_of(rule): rule_page(rule) for rule in rules().values()}


def page_of(rule: Rule) -> str:
    return f"rules/{rule.name}.md"


def family_table(link: Callable[[Family], str]) -> str:
    """How many rules there are, and on what."""
    rows = [(f"[{one.code}]({link(one)})", str(len(one.rules)), one.subject) for one in families()]
    return table(("family", "rules", "about"), rows)


def rule_navigation() -> Iterator[tuple[str, list[str]]]:
    for one in families():
        yield f"{one.code}: {one.subject.partition(',')[0]}", [page_of(rule) for rule in one.rules]


def anchor(one: Family) -> str:
    return one.code.lower()


def rule_index() -> str:
    parts = ["# Rules", family_table(lambda one: f"#{anchor(one)}")]
    for one in families():
        rows = [
            (rule.code, f"[{rule.name}]({rule.name}.md)", cell(rule.summary()), rule.kind.value, rule.severity.value,
             rule.fixable.value)
            for rule in one.rules
        ]  # fmt: skip
        heads = ("code", "rule", "what it finds", "kind", "severity", "fix")
        parts += [f"## {one.code}: {one.subject} {{#{anchor(one)}}}", wide(table(heads, rows))]
    return "\n\n".join(parts) + "\n"


def wide(table: str) -> str:
    """A table whose last columns are left out on a phone."""
    return f'<div class="wide" markdown>\n\n{table}\n\n</div>'


def rule_page(rule: Rule) -> str:
    (own,) = (one for one in families() if rule in one.rules)
    facts = [
        f"**{rule.code}**",
        f"[{own.subject}](index.md#{anchor(own)})",
        rule.kind.value,
        f"severity {rule.severity.value}",
        f"fix: {rule.fixable.value}",
    ]
    if rule.aliases:
        facts.append("also known as " + ", ".join(f"`{alias}`" for alias in rule.aliases))
    parts = [f"# {rule.name}", " · ".join(facts), rule.documentation()]
    if rule.repro is not None:
        parts += ["## Evidence", evidence_table(rule.code, package_of(rule.code)), READING]
        parts += ["## Reproduction", "What `--verify` runs on the installed MLX:", reproduction(rule)]
    return "\n\n".join(parts) + "\n"


def evidence() -> str:
    """Where everything was run, what the checks of the surface showed, and what differs by device."""
    checks = (*mlx_surface.CHECKS.values(), *mlx_lm_surface.CHECKS.values())
    statements = {check.name: check.statement for check in checks}
    statements |= {rule.code: f"[{rule.name}](rules/{rule.name}.md)" for rule in rules().values()}
    differences = [
        (statements[key], version, "<br>".join(f"{one.run.device}: {code(one.text)}" for one in seen))
        for key, version, seen in device_differences()
    ]
    parts = [
        "# Evidence",
        "What `mlxlint probe` showed on each release on which it was recorded. The evidence of a rule is on its page.",
        "## Where it was run",
        runs_table(),
        "## What differs by device",
        "All that was seen to differ on one release between devices, numbers apart. Python's own wording in messages "
        "(`'array' object`, `'mlx.core.array' object`) differs with its version, not with the device.",
        table(("rule or check", "MLX", "seen"), differences) if differences else "Nothing.",
        "## The surface of MLX and MLX-LM",
        "Statements beside the rules, which `mlxlint probe` checks too. A statement that has stopped to hold is kept, "
        "with the releases on which it held.",
        *(f"### {check.name}\n\n{check.statement}\n\n{evidence_table(check.name, check.package)}" for check in checks),
    ]
    return "\n\n".join(parts) + "\n"


def changes_page(package: str) -> str:
    """What changed from each release to the next, newest first."""
    parts = [
        f"# Changes in {PACKAGES[package]}",
        f"What each release of {PACKAGES[package]} added, removed or changed, read from its type stubs and sources; "
        "and which rules and checks of its surface begin or cease to hold, by [recorded runs](../evidence.md). "
        "`mlxlint releases --from A --to B` tells the same of any two releases.",
    ]
    releases = known(package)
    for before, after in reversed(list(pairwise(releases))):
        parts += [f"## {after} {{#{anchor_of(after)}}}", *changes_between(changes(package, before, after))]
    return "\n\n".join(parts) + "\n"


def anchor_of(version: str) -> str:
    return "v" + version.replace(".", "-")


def changes_between(found: Changes) -> Iterator[str]:
    states = {"begins": "Begin to hold", "ceases": "Cease to hold", "first run": "Hold, and could not be run before"}
    for state, words in states.items():
        turns = [turn for turn in (*found.rules, *found.checks) if turn.state == state]
        if turns:
            yield f"**{words}** (run on {' and '.join(filter(None, found.evidence))})"
            yield "\n".join(map(turn_line, turns))
    for words, names in (("Added", found.added), ("Removed", found.removed), ("Deprecated", found.deprecated)):
        if names:
            yield f"**{words}**: {', '.join(code(name) for name in names)}"
    if found.signatures:
        yield "**Other parameters**: " + ", ".join(
            code(f"{one.name}({', '.join((*map('+{}'.format, one.added), *map('-{}'.format, one.removed)))})")
            for one in found.signatures
        )
    if found.after in found.unpublished:
        yield f"The names of {found.after} were never published: what it added is told of the release after."
    elif found.is_empty:
        yield f"Nothing that is on record since {found.before}."


def turn_line(turn: Turn) -> str:
    rule = rules().get(turn.key)
    name = f"[{rule.name}](../rules/{rule.name}.md)" if rule else f"[{turn.key}](../evidence.md#{turn.key})"
    statement = rule.summary() if rule else turn.statement
    return f"- {name}: {statement}<br>before: {code(turn.before)}<br>now: {code(turn.after)}"


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
    parts = [f"## {name}\n\n```text\n{text}\n```" for name, text in commands(click.Context(cli, info_name="mlxlint"))]
    return "\n\n".join(["# Command line", *parts]) + "\n"


def commands(context: click.Context) -> Iterator[tuple[str, str]]:
    """The commands of a group and of the groups in it, each with its help text."""
    assert isinstance(context.command, click.Group)
    for name in sorted(context.command.list_commands(context)):
        command = context.command.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context, max_content_width=100)
        yield own.command_path, own.get_help()
        if isinstance(command, click.Group):
            yield from commands(own)


def readme(text: str) -> str:
    """The README with its table of families as the rules are now."""
    before, _, rest = text.partition(OPEN)
    after = rest.partition(CLOSE)[2]
    return before + OPEN + family_table(lambda one: f"rules/{one.folder}") + CLOSE + after


if __name__ == "__main__":
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")
