"""``mlxlint probe``: everything that mlxlint states about MLX, run on the MLX at hand and compared with the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlxlint import evidence
from mlxlint.registry import rules
from mlxlint.rule import Rule, Verification
from mlxlint.verify import local_model, mlx_lm_surface, mlx_surface
from mlxlint.verify.check import task_of
from mlxlint.verify.pool import Facts, Limits, Place, Task, VerifyError, run

MODEL_LIMITS = Limits(seconds=600, cpu_seconds=3600, memory=1 << 40, total=3600)
PROBE_LIMITS = Limits(total=1800)


@dataclass(frozen=True)
class Outcome:
    """What one rule's reproduction or one check showed. ``kind``: rule, surface or model."""

    key: str
    kind: str
    statement: str
    package: str
    verification: Verification
    expected: str

    @property
    def deviates(self) -> bool:
        """Whether this is not as recorded (or, where nothing was recorded, not as stated)."""
        return self.verification.status not in ("skipped", self.expected)

    @property
    def text(self) -> str:
        return " · ".join(filter(None, (self.verification.evidence, self.verification.reason)))


@dataclass(frozen=True)
class Report:
    """All outcomes on one MLX."""

    facts: Facts
    outcomes: list[Outcome]

    @property
    def deviations(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.deviates]

    @property
    def run(self) -> evidence.Run:
        """Where this was run; without MLX-LM when nothing of it was."""
        about_lm = any(outcome.package == "mlx-lm" for outcome in self.outcomes)
        return evidence.Run(
            self.facts.mlx, self.facts.mlx_lm if about_lm else None, self.facts.platform, self.facts.device
        )

    def record(self, path: Path) -> None:
        """Merge rules and surface checks into a file of evidence, without those about a model or an absent package."""
        results = {
            outcome.key: (outcome.verification.status, outcome.text)
            for outcome in self.outcomes
            if outcome.kind != "model" and self.run.version(outcome.package) is not None
        }
        evidence.merge(path, self.run, results)


@dataclass(frozen=True)
class Statement:
    """Something that mlxlint states about a package, and the task that shows it."""

    key: str
    kind: str
    text: str
    package: str
    task: Task

    def answers_to(self, word: str) -> bool:
        """Whether a code, a name or how one begins means this."""
        return self.key.startswith(word) or (self.kind == "rule" and self.text.startswith(f"{word}:"))


def probe(
    device: str = "auto",
    *,
    model: str | None = None,
    place: Place | None = None,
    known: Mapping[str, Rule] | None = None,
    limits: Limits = PROBE_LIMITS,
    packages: Iterable[str] = ("mlx", "mlx-lm"),
    select: Sequence[str] = (),
) -> Report:
    """Run all reproductions with their default parameters and all surface checks, on a local model too if one is given.

    ``select`` names those to run: codes, names, or how they begin.

    Raises:
        MlxMissing, DeviceUnavailable: when reproductions cannot be run here.
        VerifyError: when nothing has a selected name, too.
    """
    place = place or Place(device)
    wanted = set(packages)
    stated = [one for one in (*of_rules(rules() if known is None else known), *of_surface()) if one.package in wanted]
    on_model = [] if model is None else list(of_model(Path(model).resolve()))
    if select:
        check_selection([*stated, *on_model], select)
        stated, on_model = ([one for one in some if any(map(one.answers_to, select))] for some in (stated, on_model))
    report = observe(stated, place, limits)
    if on_model:  # in one worker, so that it is loaded once
        report.outcomes.extend(observe(on_model, place, MODEL_LIMITS, jobs=1).outcomes)
    return report


def check_selection(stated: Sequence[Statement], select: Sequence[str]) -> None:
    unknown = [word for word in select if not any(one.answers_to(word) for one in stated)]
    if unknown:
        raise VerifyError(f"nothing to run is called {', '.join(f'`{word}`' for word in unknown)}")


def of_rules(known: Mapping[str, Rule]) -> Iterable[Statement]:
    for code, rule in known.items():
        if rule.repro is not None:
            yield Statement(
                code, "rule", f"{rule.name}: {rule.summary()}", evidence.package_of(code), task_of(rule, {})
            )


def of_surface() -> Iterable[Statement]:
    for check in (*mlx_surface.CHECKS.values(), *mlx_lm_surface.CHECKS.values()):
        task = Task(check.run.__module__, check.run.__name__)
        yield Statement(check.name, "surface", check.statement, check.package, task)


def of_model(path: Path) -> Iterable[Statement]:
    for check in local_model.CHECKS.values():
        task = Task(check.run.__module__, check.run.__name__, {"path": str(path)})
        yield Statement(check.name, "model", check.statement, check.package, task)


def observe(stated: Sequence[Statement], place: Place, limits: Limits, jobs: int | None = None) -> Report:
    facts, results = run([one.task for one in stated], place, limits, jobs)
    return Report(
        facts,
        [
            Outcome(one.key, one.kind, one.text, one.package, result, expected(one, facts))
            for one, result in zip(stated, results, strict=True)
        ],
    )


def expected(stated: Statement, facts: Facts) -> str:
    """The status that was recorded on this release: on this platform and device if there, else on another."""
    version = facts.mlx_lm if stated.package == "mlx-lm" else facts.mlx
    same = [
        seen for run, seen in evidence.recorded().get(stated.key, {}).items()
        if run.version(stated.package) == version and seen.status != "skipped"
    ]  # fmt: skip
    nearest = sorted(same, key=lambda seen: (seen.run.device, seen.run.platform) != (facts.device, facts.platform))
    return nearest[0].status if nearest else "confirmed"
