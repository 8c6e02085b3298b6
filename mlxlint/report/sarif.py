"""SARIF 2.1.0, for code scanning services and viewers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from mlxlint import __version__
from mlxlint.report import ReportContext, shared
from mlxlint.rule import Applicability, Finding, Fix, Position, Rule, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME = "https://mlxlint.github.io/mlxlint/"

_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_ROOT = "%SRCROOT%"


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    base = shared.repository(context.root)
    descriptors = _descriptors(findings, context)
    index = {descriptor["id"]: number for number, descriptor in enumerate(descriptors)}
    hashes = shared.fingerprints(findings, context, base)
    run = {
        "tool": {
            "driver": {
                "name": "mlxlint",
                "semanticVersion": __version__,
                "informationUri": HOME,
                "rules": descriptors,
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "originalUriBaseIds": {_ROOT: {"uri": _folder_uri(base)}},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\n", "\r"],
        "results": [
            {
                **_Result(finding, context, base).as_dict(),
                "ruleIndex": index[finding.code],
                "partialFingerprints": {"mlxlint/v1": fingerprint},
            }
            for finding, fingerprint in zip(findings, hashes)
        ],
    }
    shared.write_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, stream)


def _descriptors(findings: Sequence[Finding], context: ReportContext) -> list[dict[str, Any]]:
    """The rules that found something, in order of code."""
    found = {finding.code: finding for finding in findings}
    return [_descriptor(found[code], context.rules.get(code)) for code in sorted(found)]


def _descriptor(finding: Finding, rule: Rule | None) -> dict[str, Any]:
    """A rule's metadata, or what a finding tells of it when it is not among the rules of the run."""
    if rule is None:
        level = {"level": _LEVEL[finding.severity]}
        return {"id": finding.code, "name": finding.name, "defaultConfiguration": level}
    return {
        "id": rule.code,
        "name": rule.name,
        **({"deprecatedNames": list(rule.aliases)} if rule.aliases else {}),
        "shortDescription": {"text": f"{rule.summary()}."},
        "fullDescription": {"text": _what_it_does(rule)},
        "help": {"text": rule.documentation(), "markdown": rule.documentation()},
        "helpUri": rule.url(),
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {"tags": ["mlx", rule.kind.value]},
    }


def _what_it_does(rule: Rule) -> str:
    """The first section of a rule's documentation as one paragraph."""
    _, _, rest = rule.documentation().partition("\n## What it does\n")
    return " ".join(rest.partition("\n## ")[0].split()) or f"{rule.summary()}."


class _Result:
    """One finding as a SARIF result."""

    def __init__(self, finding: Finding, context: ReportContext, base: Path) -> None:
        self.finding = finding
        self.context = context
        self.artifact = {"uri": shared.uri(finding.path, context.root, base)}
        if ":" not in self.artifact["uri"]:
            self.artifact["uriBaseId"] = _ROOT

    def as_dict(self) -> dict[str, Any]:
        finding = self.finding
        properties: dict[str, Any] = {"confidence": finding.confidence.value, "kind": finding.kind.value}
        if finding.verification:
            properties["verification"] = asdict(finding.verification)
        result = {
            "ruleId": finding.code,
            "level": _LEVEL[finding.severity],
            "message": {"text": finding.message},
            "locations": [self._location(*shared.region(finding))],
            "properties": properties,
        }
        related = list(self._related())
        if related:
            result["relatedLocations"] = related
        fix = self._fix(finding.fix) if finding.fix else None
        if fix:
            result["fixes"] = [fix]
        return result

    def _location(self, start: Position, end: Position) -> dict[str, Any]:
        physical = {"artifactLocation": self.artifact, "region": _region(start, end)}
        location: dict[str, Any] = {"physicalLocation": physical}
        if self.finding.cell is not None:
            location["logicalLocations"] = [{"name": shared.place(self.finding)}]
        return location

    def _related(self) -> Iterator[dict[str, Any]]:
        for number, reason in enumerate(self.finding.reasons):
            at = reason.position if self.finding.cell is None else None
            location = self._location(at, at) if at else {}
            yield {"id": number, "message": {"text": reason.text}, **location}

    def _fix(self, fix: Fix) -> dict[str, Any] | None:
        """The fix, if a viewer may offer it: its text is sure to be wanted, and its rows are rows of the file."""
        if fix.applicability is Applicability.MANUAL or self.finding.cell is not None:
            return None
        replacements = []
        for edit in fix.edits:
            region = shared.edit_region(edit, self.finding, self.context)
            if region is None:
                return None
            replacements.append({"deletedRegion": _region(*region[:2]), "insertedContent": {"text": edit.content}})
        changes = [{"artifactLocation": self.artifact, "replacements": replacements}]
        return {"description": {"text": fix.title}, "artifactChanges": changes}


def _folder_uri(folder: Path) -> str:
    uri = folder.as_uri()
    return uri if uri.endswith("/") else f"{uri}/"


def _region(start: Position, end: Position) -> dict[str, int]:
    return {"startLine": start.row, "startColumn": start.column, "endLine": end.row, "endColumn": end.column}
