"""What an audit finds in one file, and in all of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mlxlint import registry
from mlxlint.audit.uses import Use
from mlxlint.audit.ways import Meaning, Way, meaning
from mlxlint.notebook import cell_at, plain
from mlxlint.rule import Applicability, Finding, Kind, Rule, Severity
from mlxlint.source import Source


class Place(NamedTuple):
    """Where something stands: a file as it is shown, and in a notebook the cell, whose rows are counted."""

    path: str
    cell: int  # 0 in a file that is no notebook
    row: int
    column: int

    @classmethod
    def of(cls, source: Source, offset: int) -> Place:
        at = source.position(offset)
        if source.notebook is None:
            return cls(source.path, 0, at.row, at.column)
        cell = cell_at(source.text, offset)
        return cls(source.path, cell.number, at.row - source.position(cell.start).row + 1, at.column)


class Hazard(NamedTuple):
    """A place that a rule speaks of; one that is not ``seen`` in the code itself uses a name that the rule is about."""

    rule: str
    place: Place
    message: str
    severity: Severity
    by_hand: bool
    seen: bool = True


class Usage(NamedTuple):
    """One use of a name of PyTorch's, and whether a port of it is mechanical: known text, and nothing to think of.

    ``rule`` is the first that speaks of it.
    """

    name: str
    place: Place
    mechanical: bool
    rule: str | None = None


@dataclass(frozen=True)
class FileAudit:
    """One file. ``problem`` is what kept it from being read; ``by_hand`` counts the places that need a person.

    ``unresolved`` are names that only tensors have, on what is not known to be one; they are not among the usages.
    """

    path: str
    lines: int
    usages: tuple[Usage, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    by_hand: int = 0
    unresolved: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def mechanical(self) -> int:
        return sum(usage.mechanical for usage in self.usages)

    @property
    def silent(self) -> int:
        """How many places would run and give other numbers."""
        return sum(hazard.seen and rule_of(hazard).kind is Kind.SILENT for hazard in self.hazards)


@dataclass(frozen=True)
class Api:
    """A name of PyTorch's in all files: how often, in how many of them, and its way in MLX."""

    name: str
    meaning: Meaning
    uses: int
    mechanical: int
    files: int


@dataclass(frozen=True)
class Survey:
    """All files audited. ``others`` is the number of files that do not name PyTorch."""

    files: Sequence[FileAudit]
    others: int = 0
    problems: Sequence[str] = field(default=())

    @cached_property
    def usages(self) -> list[Usage]:
        return [usage for file in self.files for usage in file.usages]

    @cached_property
    def mechanical(self) -> int:
        return sum(file.mechanical for file in self.files)

    @property
    def share(self) -> float | None:
        """The share of the uses that ports mechanically; None when there are none."""
        return self.mechanical / len(self.usages) if self.usages else None

    @cached_property
    def apis(self) -> list[Api]:
        """Every name in use, the most used first."""
        by_name: dict[str, list[Usage]] = {}
        for usage in self.usages:
            by_name.setdefault(usage.name, []).append(usage)
        found = (
            Api(
                name, _known(name, each), len(each), sum(usage.mechanical for usage in each),
                len({usage.place.path for usage in each}),
            )
            for name, each in by_name.items()
        )  # fmt: skip
        return sorted(found, key=lambda api: (-api.uses, api.name))

    @cached_property
    def unresolved(self) -> Counter[str]:
        return Counter(name for file in self.files for name in file.unresolved)

    @cached_property
    def ways(self) -> dict[Way, tuple[int, int]]:
        """For each way, how many names go it, and how many uses."""
        names, uses = Counter[Way](), Counter[Way]()
        for api in self.apis:
            names[api.meaning.way] += 1
            uses[api.meaning.way] += api.uses
        return {way: (names[way], uses[way]) for way in Way}

    @cached_property
    def hazards(self) -> Mapping[str, list[Hazard]]:
        """By rule: those that are silent first, then those with most places."""
        by_rule: dict[str, list[Hazard]] = {}
        for hazard in (hazard for file in self.files for hazard in file.hazards):
            by_rule.setdefault(hazard.rule, []).append(hazard)
        return dict(sorted(by_rule.items(), key=lambda item: (_danger(item[1][0]), -len(item[1]), item[0])))

    @cached_property
    def ranking(self) -> list[FileAudit]:
        """The files that use PyTorch, the most work first."""
        used = (file for file in self.files if file.usages or file.hazards or file.problem)
        return sorted(used, key=lambda file: (-file.by_hand, -len(file.usages), file.path))


def _known(name: str, usages: Sequence[Usage]) -> Meaning:
    """What the tables know of a name, or a rule where they do not."""
    known = meaning(name)
    rule = next((usage.rule for usage in usages if usage.rule is not None), None)
    return known if known.listed or rule is None else Meaning(Way.DIFFERENT, rule=rule)


def rule_of(hazard: Hazard) -> Rule:
    return registry.by_name()[hazard.rule]


def _danger(hazard: Hazard) -> int:
    return (Kind.SILENT, Kind.CRASH, Kind.COST, Kind.DEPRECATED).index(rule_of(hazard).kind)


def audited(source: Source, uses: Sequence[Use], unresolved: Iterable[str], findings: Sequence[Finding]) -> FileAudit:
    """What is to be said of a file, from the names it uses and what rules find in it."""
    of_port = [finding for finding in findings if finding.kind is not Kind.TOOL]
    held = _by_use(uses, of_port)
    usages = tuple(_usage(source, use, held.get(index, [])) for index, use in enumerate(uses))
    by_hand = sum(not usage.mechanical for usage in usages) + sum(map(_needs_hand, held.get(None, [])))
    hazards = [*(_hazard(source, finding) for finding in of_port), *_expected(source, uses, of_port)]
    hazards.sort(key=lambda hazard: (hazard.place, hazard.rule))
    problem = next((finding.message for finding in findings if finding.kind is Kind.TOOL), None)
    rows = len(source.line_starts)
    return FileAudit(source.path, rows, usages, tuple(hazards), by_hand, tuple(unresolved), problem)


def _usage(source: Source, use: Use, findings: Sequence[Finding]) -> Usage:
    rule = next((finding.name for finding in findings), None)
    return Usage(use.name, Place.of(source, use.at), _is_mechanical(use, findings), rule)


def _by_use(uses: Sequence[Use], findings: Iterable[Finding]) -> dict[int | None, list[Finding]]:
    """Findings by the innermost use that they are in; under None those that are in none."""
    found: dict[int | None, list[Finding]] = {}
    for finding in findings:
        start, end = finding.offsets
        around = (i for i, use in enumerate(uses) if use.span[0] <= start and end <= use.span[1])
        found.setdefault(min(around, key=lambda i: uses[i].span[1] - uses[i].span[0], default=None), []).append(finding)
    return found


def _is_mechanical(use: Use, findings: Sequence[Finding]) -> bool:
    told = [finding for finding in findings if finding.severity is not Severity.INFO]
    if any(map(_needs_hand, told)):
        return False
    known = meaning(use.name)
    if known.way is Way.SAME or use.rewritten or told:
        return True
    return known.way is Way.DIFFERENT and known.rule is not None  # which looked at the place, and is silent


def _needs_hand(finding: Finding) -> bool:
    fix = finding.fix
    return finding.severity is not Severity.INFO and (fix is None or fix.applicability is Applicability.MANUAL)


def _hazard(source: Source, finding: Finding) -> Hazard:
    place = Place.of(source, finding.offsets[0])
    return Hazard(finding.name, place, plain(finding.message), finding.severity, _needs_hand(finding))


def _expected(source: Source, uses: Sequence[Use], findings: Sequence[Finding]) -> Iterator[Hazard]:
    """Layers and optimizers of which a rule speaks that does not itself in the same class or function."""
    for use in uses:
        rule = meaning(use.name).rule
        scope = use.name.rpartition(".")[0]
        if rule is None or scope not in ("torch.nn", "torch.optim") or not use.made:
            continue
        start, end = use.block
        if not any(finding.name == rule and start <= finding.offsets[0] < end for finding in findings):
            known = registry.by_name()[rule]
            yield Hazard(rule, Place.of(source, use.at), known.summary(), known.severity, False, seen=False)
