"""One line per finding, for grep and editors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from mlxlint.report import ReportContext, shared, text
from mlxlint.rule import Applicability, Finding


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    if context.statistics:
        text.write(findings, context, stream)
        return
    shared.write_lines([_line(finding, context) for finding in findings], stream)


def _line(finding: Finding, context: ReportContext) -> str:
    name = shared.relative(finding.path, context.root)
    verification = f" ({shared.verified(finding.verification)})" if finding.verification else ""
    mark = " [*]" if shared.is_fixable(finding, Applicability.SAFE) else ""
    return shared.showable(
        f"{name}:{shared.place(finding)}: {finding.code}{mark} {finding.message} [{finding.name}]{verification}"
    )
