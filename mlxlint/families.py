"""Families of rules: the packages that hold them, each of which says in its docstring what it is about."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from itertools import groupby

from mlxlint.registry import rules
from mlxlint.rule import Rule


@dataclass(frozen=True)
class Family:
    """Some rules on one subject, kept in one folder."""

    code: str  # MLX1xx
    subject: str
    folder: str
    rules: list[Rule]


def families() -> list[Family]:
    """All families that have rules, each as its package says: "MLX1xx: indexing, copies and in-place updates."."""
    found = []
    for package, group in groupby(rules().values(), lambda rule: type(rule).__module__.rpartition(".")[0]):
        stated = (importlib.import_module(package).__doc__ or "").strip().rstrip(".")
        code, _, subject = stated.partition(": ")
        found.append(Family(code, subject, package.rpartition(".")[2], list(group)))
    return found
