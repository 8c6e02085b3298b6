"""The SARIF report: valid by the schema, and what code scanning needs in it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from report_cases import ROOT, TEXT, finding, full, report

from mlxlint.registry import rules
from mlxlint.report.shared import relative, repository, uri
from mlxlint.rule import Applicability, Finding, Kind, Position, Rule, Severity

SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json"


class MaskRead(Rule):
    """Reading through a mask

    ## What it does
    Finds `x[mask]`,
    also in calls.

    ## Example
    ...
    """

    code = "MLX101"
    name = "boolean-mask-read"
    aliases = ("mask-read",)
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = ""


@cache
def validator() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text("utf-8")))


def sarif(*findings: Finding, **options: Any) -> dict[str, Any]:
    """The one run of a report, which must be valid."""
    log = json.loads(report("sarif", *findings, **options))
    validator().validate(log)
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    return dict(run)


def result(shown: Finding, **options: Any) -> dict[str, Any]:
    [only] = sarif(shown, **options)["results"]
    return dict(only)


def test_a_finding_with_everything() -> None:
    shown = result(full())
    artifact = {"uri": "model.py", "uriBaseId": "%SRCROOT%"}
    region = {"startLine": 4, "startColumn": 8, "endLine": 4, "endColumn": 15}
    assert shown["ruleId"] == "MLX101"
    assert shown["level"] == "error"
    assert shown["message"] == {"text": "`x[mask]` reads through a mask"}
    assert shown["locations"] == [{"physicalLocation": {"artifactLocation": artifact, "region": region}}]
    assert shown["properties"]["confidence"] == "certain"
    assert shown["properties"]["verification"]["status"] == "confirmed"
    known, unplaced = shown["relatedLocations"]
    assert known["message"]["text"] == "`mask` is boolean: result of `>`"
    assert known["physicalLocation"]["region"]["startLine"] == 3
    assert "physicalLocation" not in unplaced
    [fix] = shown["fixes"]
    assert fix["description"]["text"] == "Use `mx.where`"
    assert fix["artifactChanges"] == [
        {
            "artifactLocation": artifact,
            "replacements": [{"deletedRegion": region, "insertedContent": {"text": "mx.where(mask, x, 0)"}}],
        }
    ]


def test_nothing_found_is_a_run_without_results() -> None:
    run = sarif()
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{ROOT.as_uri()}/"


@pytest.mark.parametrize(("severity", "level"), [*zip(Severity, ("error", "warning", "note"))])
def test_levels(severity: Severity, level: str) -> None:
    assert result(finding(severity=severity))["level"] == level


def test_rule_metadata() -> None:
    run = sarif(finding(), rules={"MLX101": MaskRead()})
    [descriptor] = run["tool"]["driver"]["rules"]
    assert descriptor == {
        "id": "MLX101",
        "name": "boolean-mask-read",
        "deprecatedNames": ["mask-read"],
        "shortDescription": {"text": "Reading through a mask."},
        "fullDescription": {"text": "Finds `x[mask]`, also in calls."},
        "help": {"text": MaskRead.documentation(), "markdown": MaskRead.documentation()},
        "helpUri": MaskRead.url(),
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["mlx", "crash"]},
    }


def test_every_rule_has_valid_metadata() -> None:
    findings = [finding(code=rule.code, name=rule.name) for rule in rules().values()]
    descriptors = sarif(*findings, rules=rules())["tool"]["driver"]["rules"]
    assert [descriptor["id"] for descriptor in descriptors] == list(rules())
    assert all(descriptor["fullDescription"]["text"].endswith((".", ":", "`")) for descriptor in descriptors)


def test_results_point_at_their_rule() -> None:
    run = sarif(finding(code="MLX900", name="other"), finding(), finding(code="MLX900", name="other"))
    named = [run["tool"]["driver"]["rules"][shown["ruleIndex"]]["id"] for shown in run["results"]]
    assert named == [shown["ruleId"] for shown in run["results"]] == ["MLX900", "MLX101", "MLX900"]


def fingerprints(text: str, *findings: Finding) -> list[str]:
    return [shown["partialFingerprints"]["mlxlint/v1"] for shown in sarif(*findings, sources=text)["results"]]


def test_fingerprints_survive_moved_and_reindented_lines() -> None:
    moved = f"import os\n\n{TEXT}".replace("kept = x[mask]", "if x:\n    kept  =  x[mask]")
    assert fingerprints(TEXT, finding()) == fingerprints(moved, finding(moved))


@pytest.mark.parametrize(
    "other",
    [finding(code="MLX102"), finding(path="other.py"), finding(part="x > 0")],
    ids=["rule", "file", "line"],
)
def test_fingerprints_tell_findings_apart(other: Finding) -> None:
    one, two = fingerprints(TEXT, finding(), other)
    assert one != two


def test_fingerprints_of_equal_lines_differ() -> None:
    text = "y = x[mask]\n" * 3
    findings = [finding(text, start=Position(row, 5), end=Position(row, 12)) for row in (1, 2, 3)]
    assert len(set(fingerprints(text, *findings))) == 3


def test_a_fix_to_be_made_by_hand_is_no_fix_for_a_viewer() -> None:
    shown = full()
    assert shown.fix is not None
    assert "fixes" not in result(replace(shown, fix=replace(shown.fix, applicability=Applicability.MANUAL)))


def test_a_file_that_cannot_be_read() -> None:
    shown = result(full(), sources=None)
    assert "fixes" not in shown
    assert shown["partialFingerprints"]["mlxlint/v1"]


def test_a_notebook_has_its_cell_for_a_place() -> None:
    shown = result(replace(full(), path="port.ipynb", cell=3, start=Position(1, 8), end=Position(1, 15)))
    [location] = shown["locations"]
    assert location["logicalLocations"] == [{"name": "cell 3:1:8"}]
    assert location["physicalLocation"]["region"]["startLine"] == 1
    assert "fixes" not in shown
    assert all("physicalLocation" not in related for related in shown["relatedLocations"])


def test_names_start_at_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "packages" / "port"
    folder.mkdir(parents=True)
    assert repository(folder) == tmp_path
    run = sarif(finding(), root=folder)
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "packages/port/model.py", "uriBaseId": "%SRCROOT%"}
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == f"{tmp_path.as_uri()}/"


def test_a_file_outside_the_root_has_an_absolute_uri() -> None:
    artifact = result(finding(path="../else/model.py"))["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": (ROOT.parent / "else" / "model.py").as_uri()}


def test_the_root_of_the_file_system() -> None:
    assert sarif(root=Path(ROOT.anchor))["originalUriBaseIds"]["%SRCROOT%"]["uri"].endswith("///")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/日本.py", "src/%E6%97%A5%E6%9C%AC.py"),
        ("a b%c#d?.py", "a%20b%25c%23d%3F.py"),
        ("c:odd.py", "c%3Aodd.py"),
        ("bad\udcff.py", "bad%FF.py"),
        ("-", "-"),
        ("<stdin>", "%3Cstdin%3E"),
    ],
)
def test_uris_are_percent_encoded(path: str, expected: str) -> None:
    assert uri(path, ROOT) == expected
    validator().validate(json.loads(report("sarif", finding(path=path))))


@pytest.mark.parametrize(
    ("path", "named", "reference"),
    [
        ("src\\model.py", "src/model.py", "src/model.py"),
        ("C:\\repo\\naïve dir\\model.py", "naïve dir/model.py", "na%C3%AFve%20dir/model.py"),
        ("D:\\else\\model.py", "D:\\else\\model.py", "file:///D:/else/model.py"),
    ],
)
def test_windows_paths(path: str, named: str, reference: str) -> None:
    root = PureWindowsPath("C:\\repo")
    assert relative(path, root) == named
    assert uri(path, root) == reference
    assert unquote(reference).endswith("model.py")
