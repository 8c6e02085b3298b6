"""Findings as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from mlxlint.rule import Finding, Kind, Severity
from mlxlint.server.settings import Problem
from mlxlint.server.snapshot import Checked, Snapshot

SOURCE = "mlxlint"
_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


def by_text(checked: Checked) -> dict[str, list[types.Diagnostic]]:
    """The diagnostics of a document by the URI of its texts."""
    found: dict[str, list[types.Diagnostic]] = {part.text.uri: [] for part in checked.document.parts}
    for finding in checked.findings if found else ():
        text, diagnostic = of_finding(finding, checked.document)
        found[text].append(diagnostic)
    return found


def of_finding(finding: Finding, document: Snapshot) -> tuple[str, types.Diagnostic]:
    """The diagnostic of a finding, and the URI of the text it is in."""
    text, range = document.range(*finding.offsets)
    return text.uri, types.Diagnostic(
        range=range,
        message=finding.message,
        severity=_SEVERITY[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(finding.url) if finding.url else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Deprecated] if finding.kind is Kind.DEPRECATED else None,
        related_information=list(_related(finding, document)) or None,
        data={"name": finding.name, "fixable": finding.fix is not None, "verifiable": finding.repro is not None},
    )


def _related(finding: Finding, document: Snapshot) -> Iterator[types.DiagnosticRelatedInformation]:
    """Why the values are known, and where that was seen."""
    for reason in finding.reasons:
        if reason.position is not None:
            location = document.location(reason.position, reason.cell)
            yield types.DiagnosticRelatedInformation(location, reason.text)


def of_problem(problem: Problem) -> types.Diagnostic:
    """A config file that cannot be used."""
    start, end = types.Position(problem.row - 1, 0), types.Position(problem.row, 0)
    message = f"{problem.message} (the last settings that could be used stay in force)"
    return types.Diagnostic(types.Range(start, end), message, types.DiagnosticSeverity.Error, source=SOURCE)
