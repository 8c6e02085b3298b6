"""GitHub Actions workflow commands: an annotation per finding, a foldable group per file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TextIO

from mlxlint.report import ReportContext, shared
from mlxlint.rule import Finding, Severity

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    base = shared.repository(context.root)
    lines: list[str] = []
    for path, group in groupby(findings, key=lambda finding: finding.path):
        name = shared.relative(path, context.root, base)
        lines += [f"::group::{_data(name)}", *(_command(finding, name) for finding in group), "::endgroup::"]
    shared.write_lines(lines, stream)


def _command(finding: Finding, name: str) -> str:
    properties = {"title": f"{finding.code} {finding.name}", "file": name, **dict(_lines(finding))}
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    return f"::{_COMMAND[finding.severity]} {listed}::{_data(_message(finding, name))}"


def _lines(finding: Finding) -> Iterator[tuple[str, int]]:
    start, end = shared.region(finding)
    yield "line", start.row
    if start.row == end.row:  # columns of a span over lines are refused
        yield "col", start.column
        yield "endColumn", end.column
    yield "endLine", end.row


def _message(finding: Finding, name: str) -> str:
    below = (label + rest for label, rest in shared.explanation(finding))
    return "\n".join((f"{name}:{shared.place(finding)}: {finding.code} {finding.message}", *below))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
