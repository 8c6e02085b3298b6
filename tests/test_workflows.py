"""What CI and releases run is pinned, and may do no more than it has to."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])


def content(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


@every_workflow
def test_actions_are_pinned_to_commits(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if action != "./" and not PINNED.fullmatch(action)] == []


@every_workflow
def test_packages_are_pinned_and_the_token_reads_by_default(path: Path) -> None:
    workflow = content(path)
    assert workflow["env"]["PIP_CONSTRAINT"].endswith("/.github/constraints.txt")
    assert workflow["permissions"] == {"contents": "read"}


@every_workflow
def test_every_job_has_a_limit_of_time(path: Path) -> None:
    jobs = content(path)["jobs"]
    assert [name for name, job in jobs.items() if "timeout-minutes" not in job] == []


@every_workflow
def test_the_token_stays_in_no_checkout_but_the_one_that_pushes(path: Path) -> None:
    for job in content(path)["jobs"].values():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == (job.get("permissions") == {"contents": "write"})


def test_fuzzing_stops_before_its_job_is_stopped() -> None:
    job = content(ROOT / ".github" / "workflows" / "fuzz.yml")["jobs"]["fuzz"]
    [step] = [step for step in job["steps"] if "make fuzz" in step.get("run", "")]
    minutes = int(re.findall(r"MINUTES=(\d+)", step["run"])[0])
    assert minutes < step["timeout-minutes"] < job["timeout-minutes"]


def test_a_release_has_provenance_and_a_bill_of_materials() -> None:
    jobs = content(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    steps = [str(step) for step in jobs["build"]["steps"]]
    for part in ("attest-build-provenance", "attest-sbom", "cyclonedx-py environment"):
        assert any(part in step for step in steps)
    assert jobs["publish"]["permissions"] == {"id-token": "write"}


def requirements() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    return (Requirement(text).name.lower() for text in listed)


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / ".github" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert [str(pin) for pin in pins if len(pin.specifier) != 1 or next(iter(pin.specifier)).operator != "=="] == []
    assert set(requirements()) - {pin.name.lower() for pin in pins} == set()
