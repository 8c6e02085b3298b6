"""Codes and names to rules: the built-in ones and those of installed rule packs, through one entry-point group."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from mlxlint.rule import Rule

GROUP = "mlxlint.rules"


class BrokenRulePack(Exception):
    """A rule pack cannot be imported or its rules clash; the argument says which and why."""


def rules_in(package_name: str) -> list[type[Rule]]:
    """Every rule class defined in the modules of a package, one a module."""
    package = importlib.import_module(package_name)
    found = []
    for info in pkgutil.walk_packages(package.__path__, package_name + "."):
        if info.ispkg or info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        found += [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, Rule)
            and thing.__module__ == module.__name__
            and "code" in vars(thing)
        ]
    return found


@cache
def rules() -> dict[str, Rule]:
    """All rules by code, in order of code.

    Raises:
        BrokenRulePack: when a pack fails to import or two rules share a code or a name.
    """
    packages = {"mlxlint.rules"} | {point.value for point in entry_points(group=GROUP)}
    found: dict[str, Rule] = {}
    names: dict[str, Rule] = {}
    for package in sorted(packages):
        try:
            classes = rules_in(package)
        except Exception as error:
            raise BrokenRulePack(f"rule pack `{package}` cannot be loaded: {type(error).__name__}: {error}") from error
        for cls in classes:
            rule = cls()
            for key in (rule.name, *rule.aliases):
                if key in names or rule.code in found:
                    other = names.get(key) or found[rule.code]
                    raise BrokenRulePack(
                        f"`{cls.__module__}` and `{type(other).__module__}` share `{key}` or `{rule.code}`"
                    )
                names[key] = rule
            found[rule.code] = rule
    return dict(sorted(found.items()))


@cache
def by_name() -> dict[str, Rule]:
    """Rules by name and by alias."""
    return {key: rule for rule in rules().values() for key in (rule.name, *rule.aliases)}


def find(text: str) -> Rule | None:
    """The rule of a code, name or alias, in any case."""
    return rules().get(text.upper()) or by_name().get(text.lower())
