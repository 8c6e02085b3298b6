"""What formats share: names of files and places, explanations, counts, fingerprints, and text that any reader takes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath
from typing import Any, TextIO
from urllib.parse import quote

from mlxlint.notebook import cell_at
from mlxlint.report import ReportContext
from mlxlint.rule import Applicability, Edit, Finding, Position, Severity, Verification

STDIN = ("-", "<stdin>")
FILE_START = Position(1, 1)

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


# Files


def absolute(path: str, root: PurePath) -> PurePath:
    """A file's full path without ``..``; symbolic links are kept."""
    return type(root)(os.path.normpath(root / path))


def relative(path: str, root: PurePath, base: PurePath | None = None) -> str:
    """A file's name from ``base`` (else the root) on, with ``/``; absolute when the file is outside."""
    if path in STDIN:
        return path
    full = absolute(path, root)
    try:
        return full.relative_to(base or root).as_posix()
    except ValueError:
        return str(full)


def uri(path: str, root: PurePath, base: PurePath | None = None) -> str:
    """A percent-encoded URI reference from ``base`` (else the root) on; ``file://`` when the file is outside."""
    full = absolute(path, root)
    name = relative(path, root, base)
    return full.as_uri() if name == str(full) else quote(name, errors="surrogateescape")


def repository(root: Path) -> Path:
    """The git checkout around the root, from where services that show reports name files; else the root itself."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)


# Places


def place(finding: Finding) -> str:
    """``row:column``, with the cell in front for a notebook."""
    cell = "" if finding.cell is None else f"cell {finding.cell}:"
    return f"{cell}{finding.start.row}:{finding.start.column}"


def region(finding: Finding) -> tuple[Position, Position]:
    """First and last position in the file; its start for a notebook, as the rows of a cell are no rows of the file."""
    return (finding.start, finding.end) if finding.cell is None else (FILE_START, FILE_START)


def rows_before(finding: Finding, context: ReportContext) -> int:
    """How many rows of the linted text stand before the row that the finding calls the first (0 but in notebooks)."""
    source = context.source(finding.path)
    if finding.cell is None or source is None:
        return 0
    return source.position(finding.offsets[0]).row - finding.start.row


def edit_region(edit: Edit, finding: Finding, context: ReportContext) -> tuple[Position, Position, int | None] | None:
    """First and last position of what an edit replaces, and the cell it is in; None when the file cannot be read."""
    source = context.source(finding.path)
    if source is None:
        return None
    start, end = source.position(edit.start), source.position(edit.end)
    before, cell = 0, None
    if finding.cell is not None:
        at = cell_at(source.text, edit.start)
        before, cell = source.position(at.start).row - 1, at.number
    return Position(start.row - before, start.column), Position(end.row - before, end.column), cell


# Words


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def verified(verification: Verification) -> str:
    """One clause, such as "confirmed on cpu, MLX 0.32.4: ValueError: ..."."""
    where = f" on {verification.device}" if verification.device else ""
    version = f", MLX {verification.mlx}" if verification.mlx else ""
    why = verification.evidence or verification.reason
    return verification.status + where + version + (f": {why}" if why else "")


_FIX_LABEL = {
    Applicability.SAFE: "fix [*]",
    Applicability.UNSAFE: "fix (unsafe)",
    Applicability.MANUAL: "fix (by hand)",
}


def explanation(finding: Finding) -> Iterator[tuple[str, str]]:
    """The lines below a message (why, the fix, what verification showed), each as its label and the rest of it."""
    for reason in finding.reasons:
        cell = "" if reason.cell is None else f"cell {reason.cell}, "
        row = f" ({cell}line {reason.position.row})" if reason.position else ""
        yield "because", f" {reason.text}{row}"
    if finding.fix:
        yield _FIX_LABEL[finding.fix.applicability], f": {finding.fix.title}"
    if finding.verification:
        status = finding.verification.status
        yield status, verified(finding.verification)[len(status) :]


def showable(text: str) -> str:
    """Text for one line of a terminal: control, bidirectional and broken characters made visible, one for one."""
    return _UNSHOWABLE.sub(lambda match: _visible(match[0]), text)


def _visible(character: str) -> str:
    return chr(0x2400 + ord(character)) if character < " " else "\N{REPLACEMENT CHARACTER}"


# Counts


@dataclass(frozen=True)
class RuleCount:
    code: str
    name: str
    severity: Severity
    count: int
    fixable: int


def is_fixable(finding: Finding, applicability: Applicability) -> bool:
    return finding.fix is not None and finding.fix.applicability is applicability


def statistics(findings: Sequence[Finding]) -> list[RuleCount]:
    """Findings per rule, the most frequent first, each with its worst severity."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    return sorted(map(_rule_count, by_code.values()), key=lambda rule: (-rule.count, rule.code))


def _rule_count(findings: list[Finding]) -> RuleCount:
    worst = max(findings, key=lambda finding: finding.severity.rank)
    fixable = sum(is_fixable(finding, Applicability.SAFE) for finding in findings)
    return RuleCount(worst.code, worst.name, worst.severity, len(findings), fixable)


# Fingerprints


def fingerprints(findings: Sequence[Finding], context: ReportContext, base: Path) -> list[str]:
    """For each finding a hash that no other has, and that stays when lines are added or removed elsewhere."""

    @cache
    def content(path: str, row: int) -> str:
        source = context.source(path)
        line = source.line(row) if source else ""
        return _digest(relative(path, context.root, base), *line.split())

    seen: Counter[tuple[str, str]] = Counter()
    hashes = []
    for finding in findings:
        key = (finding.code, content(finding.path, finding.start.row + rows_before(finding, context)))
        hashes.append(_digest(*key, str(seen[key])))
        seen[key] += 1
    return hashes


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


# Output


def write_json(value: Any, stream: TextIO) -> None:
    """Write JSON that every parser takes, whatever the stream's encoding: ASCII, without lone surrogates."""
    json.dump(_without_surrogates(value), stream, indent=2)
    stream.write("\n")


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def write_lines(lines: Sequence[str], stream: TextIO) -> None:
    """Write lines for people; what the stream cannot encode is written as an escape."""
    text = "".join(line + "\n" for line in lines)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
