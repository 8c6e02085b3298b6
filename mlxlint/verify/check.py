"""Findings become facts, or are taken back: their reproductions, run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mlxlint.evidence import package_of
from mlxlint.registry import rules
from mlxlint.rule import Finding, Literal, Rule, Severity, Verification
from mlxlint.verify.parameters import OutOfRange, bound, canonical
from mlxlint.verify.pool import Facts, Limits, Place, Task, run

NO_REPRODUCTION = Verification("skipped", reason="this finding has no reproduction")
DEFAULT_LIMITS = Limits()
Runner = Callable[[Sequence[Task], Place, Limits, int | None], tuple[Facts, list[Verification]]]


def verify(
    findings: Sequence[Finding],
    device: str = "auto",
    *,
    limits: Limits = DEFAULT_LIMITS,
    jobs: int | None = None,
    place: Place | None = None,
    known: Mapping[str, Rule] | None = None,
    run: Runner = run,
) -> list[Finding]:
    """Findings with ``verification`` set, in the same order; a refuted one is information from then on.

    ``run`` is what runs the reproductions: by default worker processes on this machine.

    Raises:
        MlxMissing, DeviceUnavailable: when reproductions cannot be run here.
    """
    known = rules() if known is None else known
    prepared = [prepare(known.get(finding.code), finding.repro) for finding in findings]
    tasks = {canonical_key(task): task for task in prepared if isinstance(task, Task)}
    facts, results = run(list(tasks.values()), place or Place(device), limits, jobs)
    by_key = dict(zip(tasks, results, strict=True))
    verified = []
    for finding, task in zip(findings, prepared, strict=True):
        result = (
            by_key[canonical_key(task)] if isinstance(task, Task) else replace(task, device=facts.device, mlx=facts.mlx)
        )
        verified.append(with_verification(finding, result, facts))
    return verified


def run_one(
    rule: Rule,
    parameters: Mapping[str, Literal] | None = None,
    device: str = "auto",
    *,
    limits: Limits = DEFAULT_LIMITS,
    place: Place | None = None,
) -> Verification:
    """What a rule's reproduction shows with these parameters (default: its own).

    Raises:
        MlxMissing, DeviceUnavailable: when reproductions cannot be run here.
    """
    task = prepare(rule, parameters or {})
    if isinstance(task, Verification):
        return task
    return run([task], place or Place(device), limits)[1][0]


def prepare(rule: Rule | None, parameters: Mapping[str, Literal] | None) -> Task | Verification:
    """The task that runs a rule's reproduction, or why there is none."""
    if rule is None or rule.repro is None or parameters is None:
        return NO_REPRODUCTION
    try:
        return task_of(rule, parameters)
    except OutOfRange as why:
        return Verification("skipped", reason=f"parameters out of range: {why}")


def task_of(rule: Rule, parameters: Mapping[str, Literal]) -> Task:
    """The task that runs a rule's reproduction.

    Raises:
        OutOfRange: when it may not be run with these parameters.
    """
    assert rule.repro is not None
    return Task(type(rule).__module__, f"{type(rule).__qualname__}.repro", bound(rule.repro, parameters))


def canonical_key(task: Task) -> tuple[str, str, str]:
    return task.module, task.function, canonical(task.parameters)


def with_verification(finding: Finding, result: Verification, facts: Facts) -> Finding:
    if result.status != "refuted":
        return replace(finding, verification=result)
    of_lm = package_of(finding.code) == "mlx-lm"
    installed = f"MLX-LM {facts.mlx_lm}" if of_lm else f"MLX {facts.mlx}"
    message = f"{finding.message} ({installed} no longer does this)"
    return replace(finding, verification=result, severity=Severity.INFO, message=message)
