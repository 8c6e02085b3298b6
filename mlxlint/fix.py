"""Findings' fixes to new text: which edits go together, in how many passes, and never to a text that does not parse."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mlxlint.rule import Applicability, Edit, Finding, Fix
from mlxlint.source import Source

MAX_PASSES = 20


@dataclass(frozen=True)
class Fixed:
    """What fixing one file came to: its text, the findings that went, and whether fixes had to be given up.

    ``stable`` is False when the last pass allowed still changed something; ``broken`` names the rules whose fixes together
    made a text that does not parse, and were taken back.
    """

    source: Source
    fixed: Sequence[Finding]
    broken: Sequence[str] = ()
    stable: bool = True


def applicable(finding: Finding, unsafe: bool) -> bool:
    """Whether ``--fix`` (with ``--unsafe-fixes``) applies a finding's fix."""
    wanted = (Applicability.SAFE, Applicability.UNSAFE) if unsafe else (Applicability.SAFE,)
    return finding.fix is not None and finding.fix.applicability in wanted


def choose(findings: Iterable[Finding], unsafe: bool) -> list[Finding]:
    """The findings whose fixes can be applied together: in order of place, none overlapping an earlier one."""
    chosen: list[Finding] = []
    taken: list[Edit] = []
    for finding in sorted((f for f in findings if applicable(f, unsafe)), key=lambda f: f.offsets):
        edits = finding.fix.edits if finding.fix is not None else ()
        if not any(_overlap(edit, other) for edit in edits for other in taken if edit != other):
            chosen.append(finding)
            taken.extend(edits)
    return chosen


def _overlap(a: Edit, b: Edit) -> bool:
    if (
        a.start == a.end or b.start == b.end
    ):  # an insertion touches what it stands inside of, or another at the same place
        return a.start == b.start or max(a.start, b.start) < min(a.end, b.end)
    return max(a.start, b.start) < min(a.end, b.end)


def apply(text: str, fixes: Iterable[Fix]) -> str:
    """The text after all edits of some fixes that do not overlap; an edit that two of them share is made once."""
    edits = {edit for fix in fixes for edit in fix.edits}
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def fix(source: Source, lint: Callable[[Source], Sequence[Finding]], unsafe: bool = False) -> Fixed:
    """Fix a file until nothing more can be: each pass lints the text the last one left.

    Args:
        lint: gives the findings of a text.
        unsafe: apply unsafe fixes too.
    """
    done: list[Finding] = []
    broken: list[str] = []
    could_parse = parses(source.text)
    for _ in range(MAX_PASSES):
        chosen = [f for f in choose(lint(source), unsafe) if f.name not in broken]
        if not chosen:
            return Fixed(source, done, broken)
        text = apply(source.text, (f.fix for f in chosen if f.fix is not None))
        if could_parse and not parses(text):
            broken += sorted({f.name for f in chosen if not _parses_alone(source.text, f)} or {f.name for f in chosen})
            continue
        if text == source.text:
            return Fixed(source, done, broken)
        done += chosen
        source = replace(source, text=text)
    return Fixed(source, done, broken, stable=False)


def _parses_alone(text: str, finding: Finding) -> bool:
    return finding.fix is not None and parses(apply(text, [finding.fix]))
