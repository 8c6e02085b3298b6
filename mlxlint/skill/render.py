"""The files of the skill, made from the rules, the evidence and the templates beside this module."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template

from mlxlint import __version__
from mlxlint.evidence import recorded
from mlxlint.families import families
from mlxlint.registry import by_name
from mlxlint.releases.changes import newest_run
from mlxlint.rule import Kind
from mlxlint.skill.checklist import CHECKLIST, Item
from mlxlint.skill.facts import Fact, facts
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

SCRIPTS = ("_mlxlint.py", "check.py", "probe.py", "releases.py")
GROUPS = {
    "Documented contracts": "MLX's documentation or its published signatures state these; runs show them.",
    "Observed caveats": "Runs show these, and nothing that MLX publishes promises them. They may change unannounced.",
    "No longer so": "Held on older releases; the newest run refuted them.",
    "Not settled by a run": "No run is on record yet, or it came to no result, or needs a device that no run had. Run "
    "it before relying on it: `mlxlint rule NAME --repro --run`.",
}


def skill(name: str) -> dict[str, str]:
    """Path in the skill's folder -> content. The same rules and evidence give the same bytes."""
    return {
        "SKILL.md": _instructions(name),
        "references/current-facts.md": _current_facts(),
        "references/porting-checklist.md": _checklist(),
        **{f"scripts/{script}": _template(f"scripts/{script}") for script in SCRIPTS},
    }


def name_for(folder: Path) -> str:
    """The skill's name, which agents expect to be that of its folder."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:64].strip("-") or "mlx"


def _template(path: str) -> str:
    found = files("mlxlint.skill") / "templates"
    return found.joinpath(*path.split("/")).read_text(encoding="utf-8")


def _instructions(name: str) -> str:
    found = facts()
    checks = sum(fact.kind == "surface" for fact in found)
    return Template(_template("SKILL.md")).substitute(
        name=name, version=__version__, rules=len(found) - checks, checks=checks,
        mlx=newest_run("mlx"), mlx_lm=newest_run("mlx-lm"),
    )  # fmt: skip


def _group(fact: Fact) -> str:
    documented, observed, over, open_ = GROUPS
    if fact.status == "confirmed":
        return documented if fact.contract else observed
    return over if fact.status == "refuted" else open_


def _current_facts() -> str:
    found = facts()
    parts = ["# Current facts about MLX and MLX-LM", *_introduction()]
    for title, meaning in GROUPS.items():
        of_group = [fact for fact in found if _group(fact) == title]
        if of_group:
            parts += [f"## {title}", meaning, *_by_topic(of_group)]
    return "\n\n".join(parts) + "\n"


def _introduction() -> Iterator[str]:
    runs = {run for entries in recorded().values() for run in entries}
    places = sorted({f"{run.platform}, {run.device}" for run in runs})
    yield (
        f"Written by mlxlint {__version__}. Each fact was run on the releases and devices beside it: "
        f"{'; '.join(places)}. What was not run on a device is not known to hold there: `mlxlint probe` tells."
    )
    yield (
        "Rules have a code and are explained by `mlxlint rule NAME`, which shows an example and what to write instead. "
        "Kinds: *crash* raises, *silent* computes something else than PyTorch, *cost* takes time or memory."
    )


def _by_topic(found: Iterable[Fact]) -> Iterator[str]:
    for topic, group in groupby(found, key=lambda fact: fact.topic):
        yield f"### {topic}"
        yield "\n".join(fact.line for fact in group)


def _checklist() -> str:
    parts = [
        "# Porting checklist",
        "For making and for reviewing a port. `mlxlint check PATH` finds the rules named; `mlxlint rule NAME` explains "
        "one; `mlxlint probe` runs the checks.",
    ]
    for title, items in CHECKLIST.items():
        parts += [f"## {title}", "\n".join(_item(item) for item in items)]
    parts += [
        "## All other rules",
        "What the items above do not name; `mlxlint check PATH` looks for these as well.",
        *_others(),
    ]
    return "\n\n".join(parts) + "\n"


def _item(item: Item) -> str:
    lines = [f"- [ ] {item.text}"]
    lines += [f"    - {name} ({by_name()[name].code}): {by_name()[name].summary()}" for name in item.rules.split()]
    checks = {**MLX_CHECKS, **LM_CHECKS}
    lines += [f"    - check {name}: {checks[name].statement}" for name in item.checks.split()]
    return "\n".join(lines)


def _others() -> Iterator[str]:
    named = {name for items in CHECKLIST.values() for item in items for name in item.rules.split()}
    for family in families():
        left = [rule for rule in family.rules if rule.name not in named and rule.kind is not Kind.TOOL]
        if left:
            yield f"**{family.code}, {family.subject}**"
            yield "\n".join(f"- {rule.name} ({rule.code}): {rule.summary()}" for rule in left)
