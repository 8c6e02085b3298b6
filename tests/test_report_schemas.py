"""Reports for services are valid by their schemas, whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from report_cases import CONFIRMED, finding, full, report

from mlxlint.rule import Finding, Position, Severity

SCHEMAS = Path(__file__).with_name("schemas")
ANY = st.text(st.characters(exclude_categories=()), max_size=30)
POSITIONS = st.builds(Position, st.integers(1, 9), st.integers(1, 90))
FINDINGS = st.builds(
    lambda message, name, severity, start, cell: replace(
        full(), message=message, path=f"{name}.py", severity=severity, start=start, end=start, cell=cell
    ),
    ANY, ANY, st.sampled_from(Severity), POSITIONS, st.none() | st.integers(1, 9),
)  # fmt: skip

some_findings = settings(max_examples=60, deadline=None, derandomize=True)(given(st.lists(FINDINGS, max_size=4)))


@cache
def junit() -> Any:
    return xmlschema.XMLSchema(SCHEMAS / "junit.xsd")


@cache
def gitlab() -> Draft202012Validator:
    content = json.loads((SCHEMAS / "gitlab-code-quality.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


def gitlab_errors(text: str) -> Iterator[Any]:
    return gitlab().iter_errors(json.loads(text))


CASES: list[tuple[Finding, ...]] = [
    (),
    (full(),),
    (finding(), finding(path="other.py", severity=Severity.INFO), finding(verification=CONFIRMED)),
    (finding(path="port.ipynb", cell=3),),
    (finding(end=Position(9, 1)),),
]


@pytest.mark.parametrize("findings", CASES)
def test_junit(findings: tuple[Finding, ...]) -> None:
    junit().validate(report("junit", *findings, elapsed=0.0314))


@pytest.mark.parametrize("findings", CASES)
def test_gitlab(findings: tuple[Finding, ...]) -> None:
    assert list(gitlab_errors(report("gitlab", *findings))) == []


@some_findings
def test_junit_with_any_text(findings: list[Finding]) -> None:
    junit().validate(report("junit", *findings))


@some_findings
def test_gitlab_with_any_text(findings: list[Finding]) -> None:
    text = report("gitlab", *findings)
    assert list(gitlab_errors(text)) == []
    assert len({issue["fingerprint"] for issue in json.loads(text)}) == len(findings)


def test_junit_counts_what_it_holds() -> None:
    content = junit().to_dict(report("junit", full(), full(), finding(path="other.py")))
    suites = content["testsuite"]
    assert content["@tests"] == sum(suite["@tests"] for suite in suites) == 3
    assert [len(suite["testcase"]) for suite in suites] == [suite["@failures"] for suite in suites] == [2, 1]


@pytest.mark.parametrize("broken", ['<testsuite name="" tests="1"/>', "<testcase/>", '<testsuites tests="-1"/>'])
def test_the_junit_schema_refuses(broken: str) -> None:
    assert not junit().is_valid(broken)


@pytest.mark.parametrize("key", ["description", "check_name", "fingerprint", "severity", "location"])
def test_the_gitlab_schema_refuses(key: str) -> None:
    [issue] = json.loads(report("gitlab", full()))
    del issue[key]
    assert list(gitlab().iter_errors([issue]))
