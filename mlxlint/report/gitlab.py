"""GitLab's Code Quality report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from mlxlint.report import ReportContext, shared
from mlxlint.rule import Finding, Severity

_SEVERITY = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    base = shared.repository(context.root)
    issues = []
    for finding, fingerprint in zip(findings, shared.fingerprints(findings, context, base)):
        start, end = shared.region(finding)
        issues.append(
            {
                "type": "issue",
                "description": f"{finding.code} {finding.message}",
                "check_name": finding.name,
                "fingerprint": fingerprint,
                "severity": _SEVERITY[finding.severity],
                "location": {
                    "path": shared.relative(finding.path, context.root, base),
                    "lines": {"begin": start.row, "end": end.row},
                },
            }
        )
    shared.write_json(issues, stream)
