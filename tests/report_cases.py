"""Findings made by hand, and reports of them, for the tests of the output formats."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxlint.report import ReportContext, write
from mlxlint.rule import Applicability, Confidence, Edit, Finding, Fix, Kind, Reason, Severity, Verification
from mlxlint.source import Source

ROOT = Path("/project").absolute()
TEXT = "import mlx.core as mx\nx = mx.zeros(3)\nmask = x > 0\nkept = x[mask]\n"
CONFIRMED = Verification("confirmed", "cpu", "0.32.4", "ValueError: boolean indices")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def finding(text: str = TEXT, part: str = "x[mask]", **changes: Any) -> Finding:
    """A finding about a part of a text."""
    source = Source("", text)
    begin = text.index(part)
    end = begin + len(part)
    values: dict[str, Any] = {
        "code": "MLX101",
        "name": "boolean-mask-read",
        "message": "`x[mask]` reads through a mask",
        "path": "model.py",
        "severity": Severity.ERROR,
        "confidence": Confidence.CERTAIN,
        "kind": Kind.CRASH,
        "start": source.position(begin),
        "end": source.position(end),
        "offsets": (begin, end),
        "url": "https://example.org/boolean-mask-read/",
    }
    return Finding(**{**values, **changes})


def full(text: str = TEXT) -> Finding:
    """A finding with all that one can have."""
    begin = text.index("x[mask]")
    position = Source("", text).position
    return finding(
        text,
        reasons=(Reason("`mask` is boolean: result of `>`", position(text.index("mask"))), Reason("`x` is an array")),
        fix=Fix("Use `mx.where`", Applicability.SAFE, (Edit(begin, begin + 7, "mx.where(mask, x, 0)"),)),
        verification=CONFIRMED,
    )


def report(format: str, *findings: Finding, sources: Mapping[str, str] | str | None = TEXT, **options: Any) -> str:
    """A report of findings, all in one text or each in the text of its path."""
    stream = options.pop("stream", None) or io.StringIO()
    read = sources.get if isinstance(sources, Mapping) else lambda path: sources
    write(format, findings, ReportContext(read, **{"files": 2, "root": ROOT, **options}), stream)
    return str(stream.getvalue())
