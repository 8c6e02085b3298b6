"""Findings' fixes to new text: which edits go together, in how many passes, and never to one that does not compile."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import libcst as cst

from mlxlint.imports import unused_imports
from mlxlint.notebook import cells_of, plain
from mlxlint.parse import parse
from mlxlint.rule import Applicability, Edit, Finding, Fix
from mlxlint.source import Source, split_lines

MAX_PASSES = 20


@dataclass(frozen=True)
class Fixed:
    """What fixing one file came to: its text, the findings fixed and those left, and whether fixes had to be given up.

    ``stable`` is False when the last pass allowed still changed something; ``broken`` names the rules whose fixes
    together made a text that does not compile, and were taken back.
    """

    source: Source
    fixed: Sequence[Finding]
    left: Sequence[Finding] = ()
    broken: Sequence[str] = ()
    stable: bool = True


def applicable(finding: Finding, unsafe: bool) -> bool:
    """Whether ``--fix`` (with ``--unsafe-fixes``) applies a finding's fix."""
    wanted = (Applicability.SAFE, Applicability.UNSAFE) if unsafe else (Applicability.SAFE,)
    return finding.fix is not None and finding.fix.applicability in wanted


def choose(findings: Iterable[Finding], unsafe: bool) -> list[Finding]:
    """The findings whose fixes can be applied together: in order of place, none in the way of an earlier one."""
    chosen: list[Finding] = []
    taken: list[Edit] = []
    for finding in sorted((f for f in findings if applicable(f, unsafe)), key=lambda f: f.offsets):
        edits = finding.fix.edits if finding.fix is not None else ()
        if not any(_clash(edit, other) for edit in edits for other in taken):
            chosen.append(finding)
            taken.extend(edits)
    return chosen


def _clash(a: Edit, b: Edit) -> bool:
    """Whether two edits cannot both be made: they overlap, or insert different things at one place.

    The same line wanted by two is one line; half a pair of parentheses wanted by two is two of them.
    """
    if a == b:
        return a.start == a.end and "\n" not in a.content
    inserts = a.start == a.end or b.start == b.end
    return max(a.start, b.start) < min(a.end, b.end) or (inserts and a.start == b.start)


def apply(text: str, fixes: Iterable[Fix]) -> str:
    """The text after all edits of some fixes that do not overlap; an edit that two of them share is made once."""
    return apply_edits(text, {edit for fix in fixes for edit in fix.edits})


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def fix(
    source: Source, found: Sequence[Finding], lint: Callable[[Source], Sequence[Finding]], unsafe: bool = False
) -> Fixed:
    """Fix a file until nothing more can be: each pass lints the text the last one left; imports that lost their last
    use go at the end.

    Args:
        found: the findings in the file.
        lint: gives the findings of a changed text.
        unsafe: apply unsafe fixes too.
    """
    original = source
    done: list[Finding] = []
    broken: list[str] = []
    left = found
    for _ in range(MAX_PASSES):
        chosen = choose((f for f in left if f.name not in broken), unsafe)
        text = _applied(source.text, chosen)
        if text == source.text:
            text = apply_edits(text, unused_imports(original, source))
        if text == source.text:
            return Fixed(source, done, left, broken)
        if not _is_sound(source, text):
            culprits = {f.name for f in chosen if not _is_sound(source, _applied(source.text, [f]))}
            broken += sorted(culprits)
            if culprits:
                continue
            while not _is_sound(source, text):  # as when they empty a block: some of them now, the others later
                chosen = chosen[: len(chosen) // 2]
                text = _applied(source.text, chosen)
        done += chosen
        source = replace(source, text=text)
        left = lint(source)
    return Fixed(source, done, left, broken, stable=False)


def _applied(text: str, findings: Iterable[Finding]) -> str:
    return apply(text, (finding.fix for finding in findings if finding.fix is not None))


def _is_sound(source: Source, text: str) -> bool:
    """Whether a changed text is Python to all that the file was Python to, written as the file will be."""
    judges = [_compiles_here, _is_python_to_rules]
    return all(judge(source, text) for judge in judges if judge(source, source.text))


def _compiles_here(source: Source, text: str) -> bool:
    """Compiling finds more than parsing: a `return` outside of a function, a `global` after the name's first use."""
    flags = 0 if source.notebook is None else ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = source.encode(text) if source.notebook is None else text
            compile(data, "<fixed>", "exec", flags, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _is_python_to_rules(source: Source, text: str) -> bool:
    try:
        parse(text)
        source.encode(text)
    except (cst.ParserSyntaxError, RecursionError, UnicodeEncodeError):
        return False
    return len(cells_of(text)) == len(cells_of(source.text))


def diff(path: str, before: str, after: str) -> str:
    """The change of a file as a unified diff; of a notebook, cell by cell."""
    if not (cells := cells_of(before)):
        return _diff(path, before, after)
    pairs = ((a.number, before[a.start : a.end], after[b.start : b.end]) for a, b in zip(cells, cells_of(after)))
    return "".join(_diff(f"{path}:cell {number}", plain(old), plain(new)) for number, old, new in pairs)


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(split_lines(before), split_lines(after), path, path)
    return "".join(line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines)
