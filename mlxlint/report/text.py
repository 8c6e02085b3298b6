"""Findings for people: the place in its code, why it is a problem, the fix, and a summary."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from mlxlint.report import ReportContext, shared
from mlxlint.report.excerpt import excerpt
from mlxlint.report.paint import Line, Painter, Plain, wrapped
from mlxlint.rule import Applicability, Finding, Severity

PIPE_WIDTH = 120
_STATUS_STYLE = {"confirmed": "good", "refuted": "weak"}


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    painter = _painter(context, stream)
    if context.statistics:
        lines = list(_statistics(findings))
    else:
        width = context.width or (shutil.get_terminal_size().columns if stream.isatty() else None)
        lines = [line for finding in findings for line in (*_finding(finding, context, width, painter), [])]
    shared.write_lines([painter.line(line) for line in (*lines, *_summary(findings, context))], stream)


def _painter(context: ReportContext, stream: TextIO) -> Painter:
    if not _wants_color(context.color, stream):
        return Plain()
    from mlxlint.report.color import Colored

    return Colored(links=stream.isatty())


def _wants_color(color: bool | None, stream: TextIO) -> bool:
    if color is not None:
        return color
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") != "0":
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


# One finding


def _finding(finding: Finding, context: ReportContext, width: int | None, painter: Painter) -> Iterator[Line]:
    """The lines of one finding; without a width, as for a pipe, sentences are not wrapped."""
    yield from wrapped(_heading(finding, context), width or sys.maxsize, indent=2)
    gutter = 1
    source = context.source(finding.path)
    if source is not None:
        shown = excerpt(finding, source, shared.rows_before(finding, context), width or PIPE_WIDTH)
        gutter = shown.gutter
        yield from shown.lines(painter)
    for label, rest in shared.explanation(finding):
        line = [(f"{' ' * gutter} = ", "weak"), (label, _STATUS_STYLE.get(label, "label")), (rest, "")]
        yield from wrapped(line, width or sys.maxsize, indent=gutter + 3)


def _heading(finding: Finding, context: ReportContext) -> Line:
    severity = finding.severity.value
    return [
        (f"{shared.relative(finding.path, context.root)}:{shared.place(finding)}", "path"),
        (" ", ""),
        (severity, severity),
        (" ", ""),
        (finding.code, f"link {finding.url}" if finding.url else ""),
        (f" {finding.name}: ", "weak"),
        (finding.message, "message"),
    ]


# Totals


def _statistics(findings: Sequence[Finding]) -> Iterator[Line]:
    counts = shared.statistics(findings)
    digits = max((len(str(count.count)) for count in counts), default=0)
    for count in counts:
        severity = count.severity.value
        mark = "[*]" if count.fixable == count.count else "[-]" if count.fixable else "[ ]"
        yield [
            (f"{count.count:>{digits}}  ", "path"),
            (f"{severity:<7}", severity),
            (f"  {count.code}  ", ""),
            (mark, "good" if count.fixable else "weak"),
            (f" {count.name}", "message"),
        ]
    if counts:
        yield []


def _summary(findings: Sequence[Finding], context: ReportContext) -> Iterator[Line]:
    fixed = f"Found {len(findings) + context.fixed}, fixed {context.fixed}; left: " if context.fixed else ""
    if findings:
        numbers = Counter(finding.severity for finding in findings)
        found = ", ".join(shared.counted(numbers[s], s.value) for s in Severity if numbers[s])
        touched = len({finding.path for finding in findings})
        yield [
            (f"{fixed or 'Found '}{found}", "message"),
            (f" in {touched} of {_checked(context)}{_fixable(findings)}", ""),
        ]
    else:
        yield [(f"{fixed}none" if fixed else "No problems found", "good"), (f" in {_checked(context)}", "")]
    hidden = {"suppressed": context.suppressed, "in the baseline": context.baselined}
    asides = ", ".join(f"{number} {where}" for where, number in hidden.items() if number)
    if asides:
        yield [(asides, "weak")]


def _checked(context: ReportContext) -> str:
    time = "" if context.elapsed is None else f" ({context.elapsed:.1f} s)"
    return shared.counted(context.files, "file") + time


def _fixable(findings: Sequence[Finding]) -> str:
    safe = sum(shared.is_fixable(finding, Applicability.SAFE) for finding in findings)
    unsafe = sum(shared.is_fixable(finding, Applicability.UNSAFE) for finding in findings)
    parts = [f"{safe} fixable with --fix"] if safe else []
    if unsafe:
        parts.append(f"{unsafe} more with --unsafe-fixes" if safe else f"{unsafe} fixable with --fix --unsafe-fixes")
    return f"; {', '.join(parts)}" if parts else ""
