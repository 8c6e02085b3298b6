"""A list of objects in the shape that ruff's readers know, with severity, confidence and verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from mlxlint.report import ReportContext, shared
from mlxlint.rule import Finding, Fix, Position


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    shared.write_json(_statistics(findings) if context.statistics else [_object(f, context) for f in findings], stream)


def _statistics(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "code": count.code,
            "name": count.name,
            "severity": count.severity.value,
            "count": count.count,
            "fixable": count.fixable > 0,
            "fixable_count": count.fixable,
        }
        for count in shared.statistics(findings)
    ]


def _object(finding: Finding, context: ReportContext) -> dict[str, Any]:
    stdin = finding.path in shared.STDIN
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "filename": finding.path if stdin else str(shared.absolute(finding.path, context.root)),
        "location": _location(finding.start),
        "end_location": _location(finding.end),
        "cell": finding.cell,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "fix": _fix(finding.fix, finding, context) if finding.fix else None,
        "url": finding.url,
        "noqa_row": finding.statement[1] or finding.start.row,
        "verification": asdict(finding.verification) if finding.verification else None,
    }


def _location(position: Position) -> dict[str, int]:
    return {"row": position.row, "column": position.column}


def _fix(fix: Fix, finding: Finding, context: ReportContext) -> dict[str, Any] | None:
    """The fix; None when the file cannot be read any more, since its edits would have no place."""
    edits = []
    for edit in fix.edits:
        region = shared.edit_region(edit, finding, context)
        if region is None:
            return None
        start, end, cell = region
        within = {} if cell is None else {"cell": cell}
        place = {"location": _location(start), "end_location": _location(end)}
        edits.append({"content": edit.content, **place, **within})
    return {"applicability": fix.applicability.value, "message": fix.title, "edits": edits}
