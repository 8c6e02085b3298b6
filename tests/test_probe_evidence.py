"""The evidence that came with mlxlint: complete, in agreement with the rules, and what is read from it."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import pytest

from mlxlint.evidence import (
    Records,
    Run,
    Seen,
    by_release,
    holds,
    package_of,
    read,
    recorded,
    release,
    releases_holding,
    write,
)  # fmt: skip
from mlxlint.registry import rules
from mlxlint.rule import Rule
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS
from mlxlint.verify.parameters import fits

RUNNABLE = [rule for rule in rules().values() if rule.repro is not None]


def records(code: str, package: str, **statuses: str) -> Records:
    """Evidence of one rule, from ``v0_29_4="confirmed"``."""
    versions = {name[1:].replace("_", "."): status for name, status in statuses.items()}
    runs = {
        Run(
            "0.1" if package == "mlx-lm" else version, version if package == "mlx-lm" else None, "Linux-x86_64", "cpu"
        ): status
        for version, status in versions.items()
    }
    return {code: {run: Seen(run, status, status) for run, status in runs.items()}}


SAMPLE = records(
    "MLX101", "mlx", v0_9_0="refuted", v0_10_0="confirmed", v0_10_2="confirmed", v0_11_0="skipped", v0_12_0="refuted"
)


def test_releases_are_in_order_and_skipped_ones_do_not_count() -> None:
    assert list(by_release("MLX101", SAMPLE)) == ["0.9.0", "0.10.0", "0.10.2", "0.12.0"]
    assert releases_holding("MLX101", SAMPLE) == ["0.10.0", "0.10.2"]
    assert releases_holding("MLX102", SAMPLE) == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("0.8", None), ("0.9", False), ("0.9.0", False), ("0.10", True), ("0.10.0", True), ("0.10.1", True),
        ("0.11", True), ("0.12", False), ("0.12.7", False), ("1", False), ("0", False),
    ],
)  # fmt: skip
def test_a_target_is_judged_by_the_newest_release_seen_up_to_it(target: str, expected: bool | None) -> None:
    assert holds("MLX101", target, SAMPLE) is expected


def test_inconclusive_releases_say_nothing() -> None:
    seen = records("MLX101", "mlx", v0_1_0="confirmed", v0_2_0="inconclusive")
    assert holds("MLX101", "0.2", seen) is None
    assert releases_holding("MLX101", seen) == ["0.1.0"]


def test_rules_about_mlx_lm_go_by_its_releases() -> None:
    seen = records("MLX701", "mlx-lm", v0_28_0="confirmed")
    assert package_of("MLX701") == "mlx-lm"
    assert releases_holding("MLX701", seen) == ["0.28.0"]
    assert releases_holding("MLX101", records("MLX101", "mlx-lm", v0_28_0="confirmed")) == ["0.1"]


def test_one_device_is_enough_to_hold() -> None:
    cpu, gpu = (Run("0.30.0", None, "Linux-x86_64", device) for device in ("cpu", "cuda"))
    seen = {"MLX101": {cpu: Seen(cpu, "refuted", ""), gpu: Seen(gpu, "confirmed", "")}}
    assert holds("MLX101", "0.30", seen) is True


def test_a_file_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    seen = {**SAMPLE, **records("MLX701", "mlx-lm", v0_28_0="confirmed")}
    write(path, seen)
    text = path.read_text()
    assert read(path) == seen
    write(path, read(path))
    assert path.read_text() == text
    assert read(tmp_path / "none.json") == {}


def newest(package: str) -> str:
    versions = {run.version(package) for entries in recorded().values() for run in entries}
    return max((version for version in versions if version), key=release)


@pytest.mark.parametrize("rule", RUNNABLE, ids=lambda rule: rule.code)
def test_every_rule_was_seen_on_the_newest_release(rule: Rule) -> None:
    """Where a rule can run only elsewhere (a GPU), its evidence there is not demanded."""
    entries = recorded().get(rule.code, {}).values()
    package = package_of(rule.code)
    statuses = {seen.status for seen in entries if seen.run.version(package) == newest(package)}
    assert statuses, (
        f"{rule.code} has no evidence for {package} {newest(package)}: run `python -m mlxlint.dev.evidence`"
    )
    assert statuses <= {"confirmed", "skipped"}


def test_the_record_holds_nothing_that_is_gone() -> None:
    assert set(recorded()) <= set(rules()) | set(MLX_CHECKS) | set(LM_CHECKS)


@pytest.mark.parametrize("rule", RUNNABLE, ids=lambda rule: rule.code)
def test_reproductions_are_annotated_and_have_fitting_defaults(rule: Rule) -> None:
    assert rule.repro is not None
    hints = typing.get_type_hints(rule.repro, include_extras=True)
    for name, parameter in inspect.signature(rule.repro).parameters.items():
        assert name in hints
        assert fits(parameter.default, hints[name]), f"{rule.code}: default of `{name}`"
