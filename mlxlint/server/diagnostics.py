"""Findings as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from mlxlint.rule import Finding, Kind, Severity
from mlxlint.server.documents import Checked, Document
from mlxlint.server.settings import Problem
from mlxlint.server.text import range_at, units_of
from mlxlint.source import Source

SOURCE = "mlxlint"
_SEVERITY = {
    Severity.ERROR: types.DiagnosticSeverity.Error,
    Severity.WARNING: types.DiagnosticSeverity.Warning,
    Severity.INFO: types.DiagnosticSeverity.Information,
}


def diagnostics(document: Document, checked: Checked, encoding: str) -> list[types.Diagnostic]:
    return [_diagnostic(finding, checked.source, document.uri, encoding) for finding in checked.findings]


def _diagnostic(finding: Finding, source: Source, uri: str, encoding: str) -> types.Diagnostic:
    return types.Diagnostic(
        range=range_at(source, *finding.offsets, encoding),
        message=finding.message,
        severity=_SEVERITY[finding.severity],
        code=finding.code,
        code_description=types.CodeDescription(finding.url) if finding.url else None,
        source=SOURCE,
        tags=[types.DiagnosticTag.Deprecated] if finding.kind is Kind.DEPRECATED else None,
        related_information=list(_related(finding, source, uri, encoding)) or None,
        data={"name": finding.name},
    )


def _related(finding: Finding, source: Source, uri: str, encoding: str) -> Iterator[types.DiagnosticRelatedInformation]:
    for reason in finding.reasons:
        if reason.position is not None:
            row = reason.position.row - 1
            column = units_of(source.line(row + 1)[: reason.position.column - 1], encoding)
            at = types.Position(row, column)
            yield types.DiagnosticRelatedInformation(types.Location(uri, types.Range(at, at)), reason.text)


def of_problem(problem: Problem) -> types.Diagnostic:
    """A config file that cannot be used."""
    start, end = types.Position(problem.row - 1, 0), types.Position(problem.row, 0)
    message = f"{problem.message} (the last settings that could be used stay in force)"
    return types.Diagnostic(types.Range(start, end), message, types.DiagnosticSeverity.Error, source=SOURCE)
