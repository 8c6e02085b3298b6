"""The reports for services: GitHub, GitLab, JUnit."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import ROOT, finding, full, report

from mlxlint.rule import Finding, Position, Severity

COMMAND = re.compile(r"::(?P<name>\w+)(?: (?P<properties>.*?))?::(?P<data>.*)")


def unescape(text: str) -> str:
    for escaped, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escaped, character)
    return text


def commands(*findings: Finding, **options: Any) -> list[tuple[str, dict[str, str], str]]:
    """Workflow commands as the service reads them: name, properties and message."""
    read = []
    for line in report("github", *findings, **options).split("\n")[:-1]:
        match = COMMAND.fullmatch(line)
        assert match, line
        pairs = (pair.split("=", 1) for pair in (match["properties"] or "").split(",") if pair)
        read.append((match["name"], {key: unescape(value) for key, value in pairs}, unescape(match["data"])))
    return read


def test_github_annotates_each_finding() -> None:
    opened, annotation, closed = commands(full())
    assert opened == ("group", {}, "model.py")
    assert closed == ("endgroup", {}, "")
    assert annotation == (
        "error",
        {
            "title": "MLX101 boolean-mask-read",
            "file": "model.py",
            "line": "4",
            "endLine": "4",
            "col": "8",
            "endColumn": "15",
        },
        "model.py:4:8: MLX101 `x[mask]` reads through a mask\n"
        "because `mask` is boolean: result of `>` (line 3)\n"
        "because `x` is an array\n"
        "fix [*]: Use `mx.where`\n"
        "confirmed on cpu, MLX 0.32.4: ValueError: boolean indices",
    )


@pytest.mark.parametrize(("severity", "name"), [*zip(Severity, ("error", "warning", "notice"))])
def test_github_levels(severity: Severity, name: str) -> None:
    assert commands(finding(severity=severity))[1][0] == name


def test_github_groups_by_file() -> None:
    names = [name for name, _, _ in commands(finding(), finding(), finding(path="other.py"))]
    assert names == ["group", "error", "error", "endgroup", "group", "error", "endgroup"]


def test_github_escapes_what_would_end_a_property_or_a_line() -> None:
    odd = finding(path="100%, a:b.py", message="50% of `a,b::c`\r\n::error::injected")
    opened, (_, properties, message), _ = commands(odd)
    assert opened[2] == properties["file"] == "100%, a:b.py"
    assert message == "100%, a:b.py:4:8: MLX101 50% of `a,b::c`\r\n::error::injected"


def test_github_gets_no_columns_for_a_place_over_lines() -> None:
    [_, (_, properties, _), _] = commands(finding(end=Position(5, 1)))
    assert (properties["line"], properties["endLine"]) == ("4", "5")
    assert "col" not in properties


def test_github_names_files_from_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert commands(finding(), root=tmp_path / "sub")[1][1]["file"] == "sub/model.py"


def test_github_shows_a_notebook_at_its_start() -> None:
    [_, (_, properties, message), _] = commands(finding(path="port.ipynb", cell=3))
    assert properties["line"] == "1"
    assert message.startswith("port.ipynb:cell 3:4:8: MLX101")


def test_github_without_findings_is_empty() -> None:
    assert report("github") == ""


def test_gitlab() -> None:
    [issue] = json.loads(report("gitlab", full()))
    assert len(issue.pop("fingerprint")) == 32
    assert issue == {
        "type": "issue",
        "description": "MLX101 `x[mask]` reads through a mask",
        "check_name": "boolean-mask-read",
        "severity": "major",
        "location": {"path": "model.py", "lines": {"begin": 4, "end": 4}},
    }


def test_gitlab_severities() -> None:
    issues = json.loads(report("gitlab", *[finding(severity=severity) for severity in Severity]))
    assert [issue["severity"] for issue in issues] == ["major", "minor", "info"]


def test_gitlab_fingerprints_are_unique() -> None:
    issues = json.loads(report("gitlab", *[finding()] * 5))
    assert len({issue["fingerprint"] for issue in issues}) == 5


def test_gitlab_without_findings() -> None:
    assert json.loads(report("gitlab")) == []


def suites(*findings: Finding, **options: Any) -> ET.Element:
    return ET.fromstring(report("junit", *findings, **options))


def test_junit_has_a_failed_test_per_finding() -> None:
    root = suites(full(), finding(), finding(path="other.py", severity=Severity.WARNING), elapsed=1.5)
    assert root.attrib == {"name": "mlxlint", "tests": "3", "failures": "3", "errors": "0", "time": "1.500"}
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [("model.py", "2"), ("other.py", "1")]
    case = root[0][0]
    assert case.attrib == {"name": "MLX101 boolean-mask-read 4:8", "classname": "model.py"}
    [failure] = case
    assert failure.attrib == {"message": "`x[mask]` reads through a mask", "type": "error"}
    assert failure.text is not None
    assert failure.text.splitlines()[0] == "model.py:4:8: `x[mask]` reads through a mask"
    assert failure.text.splitlines()[-1] == "confirmed on cpu, MLX 0.32.4: ValueError: boolean indices"


def test_junit_without_findings_has_a_test_that_passed() -> None:
    root = suites(files=40)
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    [[case]] = root
    assert case.get("name") == "40 files checked"
    assert len(case) == 0


ANY_CHARACTER = st.characters(exclude_categories=())


@given(st.text(ANY_CHARACTER), st.text(ANY_CHARACTER))
def test_junit_is_valid_xml_for_any_text(message: str, name: str) -> None:
    root = suites(replace(full(), message=f"<{message}]]>&", path=f"{name}.py"))
    [[[failure]]] = root
    assert (failure.get("message") or "").startswith("<")


@pytest.mark.parametrize("format", ["json", "sarif", "gitlab", "junit"])
def test_reports_for_machines_are_ascii_whatever_the_stream(format: str) -> None:
    written = report(format, finding(message="日本 \udcff \x00 \U0001f600", path="naïve\udcff.py"))
    io.TextIOWrapper(io.BytesIO(), encoding="ascii").write(written)
    parsed = ET.fromstring(written) if format == "junit" else json.loads(written)
    assert parsed is not None
    assert "\\udcff" not in written


def test_paths_outside_the_root_are_absolute() -> None:
    outside = str(ROOT.parent / "else" / "model.py")
    assert commands(finding(path="../else/model.py"))[1][1]["file"] == outside
