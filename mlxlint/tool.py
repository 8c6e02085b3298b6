"""Findings of the tool's own rules: about the linted file as a file, or about the tool itself."""

from __future__ import annotations

from collections.abc import Mapping

from mlxlint import registry
from mlxlint.rule import Confidence, Finding, Fix
from mlxlint.source import Source


def tool_finding(
    name: str, source: Source, span: tuple[int, int], data: Mapping[str, str], fix: Fix | None = None
) -> Finding:
    """A finding of one of the tool's own rules."""
    rule = registry.by_name()[name]
    start, end = map(source.position, span)
    return Finding(
        code=rule.code,
        name=rule.name,
        message=rule.message.format_map(data),
        path=source.path,
        severity=rule.severity,
        confidence=Confidence.CERTAIN,
        kind=rule.kind,
        start=start,
        end=end,
        offsets=span,
        statement=(start.row, end.row),
        fix=fix,
        url=rule.url(),
    )
