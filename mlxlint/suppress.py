"""Suppression comments: finding them, applying them, reporting those that do nothing, writing new ones.

``# mlxlint: ignore[name-or-code, ...] reason`` on a line of a statement or alone above it, ``# mlxlint: ignore`` for
every rule; ``file-ignore`` for the file; ``disable`` and ``enable`` for a range; and ``# noqa`` as flake8 has it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mlxlint import registry
from mlxlint.config import ALWAYS, did_you_mean, suggest_rule
from mlxlint.rule import Applicability, Confidence, Edit, Finding, Fix
from mlxlint.source import Source

_KINDS = ("ignore", "file-ignore", "disable", "enable", "noqa")
UNUSED, UNKNOWN = "unused-suppression", "unknown-suppression"

_DIRECTIVE = re.compile(
    r"""(?:^|(?<=\s))\#\s*(?:
        mlxlint:\s*(?P<kind>[\w-]+)\s*(?:\[(?P<names>[^\]]*)\])?
      | (?P<noqa>noqa)\b(?:\s*:\s*(?P<codes>[A-Za-z][\w-]*(?:[,\s]+[A-Za-z][\w-]*)*))?
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ANOTHER_COMMENT = re.compile(r"\s+#(?=\s|!)|\s+(?=#\s*(?:mlxlint:|noqa\b))", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z]+[0-9]+")
_BLANK_TOKENS = frozenset({tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


def tool_finding(name: str, source: Source, span: tuple[int, int], fix: Fix | None = None, **data: str) -> Finding:
    """A finding of one of the tool's own rules."""
    rule = registry.by_name()[name]
    start, end = map(source.position, span)
    return Finding(
        code=rule.code,
        name=rule.name,
        message=rule.message.format(**data),
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


@dataclass(eq=False)
class Suppression:
    """One directive in a comment. ``names`` is None when it holds for every rule."""

    kind: str  # one of _KINDS, or what was written in the place of one
    names: tuple[str, ...] | None
    names_span: tuple[int, int]
    span: tuple[int, int]  # from its "#" to the end of its reason
    row: int
    last_row: int  # of what it holds for
    alone: bool
    used: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)  # codes for which an ``enable`` ends a range before its last row

    @property
    def codes(self) -> set[str]:
        return {rule.code for name in self.names or () if (rule := registry.find(name))}

    @property
    def unknown(self) -> list[str]:
        """The names that are no rule's; in a ``# noqa`` only codes that look like those of an installed rule."""
        names = [name for name in self.names or () if not registry.find(name)]
        return [name for name in names if self.kind != "noqa" or _letters(name) in {_letters(code) for code in registry.rules()}]

    def names_rule(self, code: str) -> bool:
        return self.names is None or code in self.codes

    def covers(self, finding: Finding) -> bool:
        first, last = _rows(finding)
        if self.kind == "ignore":
            return first <= self.row <= last or (self.alone and first <= self.last_row <= last)
        if self.kind == "noqa":
            return first <= self.row <= last
        if self.kind == "disable":
            return self.row <= finding.start.row <= self.ends.get(finding.code, self.last_row)
        return self.kind == "file-ignore"


def _letters(code: str) -> str:
    return code.rstrip("0123456789").upper() if _CODE.fullmatch(code) else ""


def _rows(finding: Finding) -> tuple[int, int]:
    """The rows of the logical line at which a finding stands."""
    return finding.statement if finding.statement[0] else (finding.start.row, finding.end.row)


# Reading


def suppressions(source: Source) -> list[Suppression]:
    """The suppressions in a file's comments, in order, ranges closed."""
    if "mlxlint:" not in source.text and "noqa" not in source.text.lower():
        return []
    found = [directive for comment in _comments(source) for directive in _directives(source, *comment)]
    _close_ranges(found, len(source.line_starts))
    return found


def _comments(source: Source) -> Iterator[tuple[int, str, int, bool]]:
    """Comments as (offset, text, row of the code they stand above or beside, whether they stand alone)."""
    pending: list[tuple[int, str]] = []
    row = 0  # of the last token of code
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text, newline=None).readline):
            if token.type == tokenize.COMMENT:
                offset = source.line_starts[token.start[0] - 1] + token.start[1]
                if token.start[0] == row:
                    yield offset, token.string, row, False
                else:
                    pending.append((offset, token.string))
            elif token.type == tokenize.NL and not token.line.strip():
                yield from ((offset, text, 0, True) for offset, text in pending)
                pending.clear()
            elif token.type not in _BLANK_TOKENS:
                yield from ((offset, text, token.start[0], True) for offset, text in pending)
                pending.clear()
                row = token.end[0] if token.type != tokenize.NEWLINE else row
    except (tokenize.TokenError, SyntaxError):
        pass  # the rest of the file is no Python, which is reported as such
    yield from ((offset, text, 0, True) for offset, text in pending)


def _directives(source: Source, offset: int, comment: str, code_row: int, alone: bool) -> Iterator[Suppression]:
    for match in _DIRECTIVE.finditer(comment):
        kind = "noqa" if match["noqa"] else match["kind"].lower()
        if kind not in _KINDS and match["names"] is None:
            continue  # prose
        group = "codes" if match["noqa"] else "names"
        names, (start, end) = match[group], match.span(group)
        if names is not None and kind == "noqa":
            names = _noqa_codes(names) or None
            end = start + len(names or "")
        another = _ANOTHER_COMMENT.search(comment, match.end())
        row = source.position(offset).row
        yield Suppression(
            kind=kind,
            names=None if names is None else tuple(re.findall(r"[^\s,]+", names)),
            names_span=(offset + start, offset + end),
            span=(offset + match.start(), offset + (another.start() if another else len(comment.rstrip()))),
            row=row,
            last_row=code_row if alone else row,
            alone=alone,
        )


def _noqa_codes(text: str) -> str:
    """The leading words that are codes, or names of rules; what follows is the reason."""
    end = 0
    for word in re.finditer(r"[^\s,]+", text):
        if not _CODE.fullmatch(word[0]) and not registry.find(word[0]):
            break
        end = word.end()
    return text[:end]


def _close_ranges(found: Sequence[Suppression], last_row: int) -> None:
    """Tells each ``disable`` where it ends, and marks as used each ``enable`` that ends one."""
    opened: list[Suppression] = []
    for directive in found:
        if directive.kind == "disable":
            directive.last_row = last_row
            opened.append(directive)
        elif directive.kind == "enable" and directive.names is None:
            directive.used |= {name for range_ in opened for name in range_.names or ("ALL",)}
            for range_ in opened:
                range_.last_row = directive.row
            opened.clear()
        elif directive.kind == "enable":
            for code in directive.codes:
                for range_ in opened:
                    if range_.names_rule(code) and code not in range_.ends:
                        range_.ends[code] = directive.row
                        directive.used.add(code)


# Applying


def apply(source: Source, findings: Sequence[Finding], enabled: Collection[str]) -> list[Finding]:
    """The findings that no comment suppresses, and one for each comment that suppresses nothing or names no rule.

    ``enabled`` are the codes of the rules that were looked for.
    """
    found = suppressions(source)
    if not found:
        return list(findings)
    kept = [finding for finding in findings if not _suppressed(finding, found)]
    if not any(finding.code in ALWAYS for finding in findings):  # else it is not known what would have been found
        kept += _useless(source, found, enabled)
    return kept


_PRECEDENCE = ("ignore", "noqa", "disable", "file-ignore")  # the narrowest is the one that is used


def _suppressed(finding: Finding, found: Iterable[Suppression]) -> bool:
    fitting = [s for s in found if s.kind in _PRECEDENCE and s.names_rule(finding.code) and s.covers(finding)]
    if not fitting:
        return False
    min(fitting, key=lambda s: _PRECEDENCE.index(s.kind)).used.add(finding.code)
    return True


def _useless(source: Source, found: Sequence[Suppression], enabled: Collection[str]) -> Iterator[Finding]:
    reports = [(s, report) for s in found for report in _reports(source, s, enabled) if report.code in enabled]
    for own, report in reports:
        if not any(s.names is not None and report.code in s.codes and (s is own or s.covers(report)) for s in found):
            yield report


def _reports(source: Source, suppression: Suppression, enabled: Collection[str]) -> Iterator[Finding]:
    if suppression.kind not in _KINDS:
        word = f"`{suppression.kind}`{did_you_mean(suppression.kind, _KINDS)}"
        yield tool_finding(UNKNOWN, source, suppression.span, what="directive", names=word)
        return
    if unknown := suppression.unknown:
        names = ", ".join(f"`{name}`{suggest_rule(name)}" for name in unknown)
        yield tool_finding(UNKNOWN, source, suppression.span, _removal(source, suppression, unknown), what="rule", names=names)
    if not suppression.names:
        if suppression.kind != "noqa" and not suppression.used and set(registry.rules()) <= set(enabled):
            yield tool_finding(UNUSED, source, suppression.span, _removal(source, suppression, []), names="")
    elif unused := [name for name in suppression.names if _is_unused(name, suppression, enabled)]:
        names = ": " + ", ".join(f"`{name}`" for name in unused)
        yield tool_finding(UNUSED, source, suppression.span, _removal(source, suppression, unused), names=names)


def _is_unused(name: str, suppression: Suppression, enabled: Collection[str]) -> bool:
    rule = registry.find(name)
    if rule is None or rule.code not in enabled or rule.name in (UNUSED, UNKNOWN):
        return False
    return rule.code not in suppression.used


def _removal(source: Source, suppression: Suppression, names: Sequence[str]) -> Fix:
    """Removes names from a directive; the directive, and its line, when nothing else is left there."""
    left = [name for name in suppression.names or () if name not in names]
    if left:
        return Fix(f"Remove {', '.join(f'`{name}`' for name in names)}", Applicability.SAFE, (_keep(suppression, left),))
    start, end = suppression.span
    line_start = source.line_starts[suppression.row - 1]
    line_end = line_start + len(source.line(suppression.row))
    before, after = source.text[line_start:start], source.text[end:line_end]
    if after.strip():
        end += len(after) - len(after.lstrip())
    elif before.strip():
        start, end = line_start + len(before.rstrip()), line_end
    else:
        start, end = line_start, (*source.line_starts, len(source.text))[suppression.row]
    return Fix("Remove the comment", Applicability.SAFE, (Edit(start, end, ""),))


def _keep(suppression: Suppression, names: Sequence[str]) -> Edit:
    return Edit(*suppression.names_span, ", ".join(names))


# Writing


def add_ignores(source: Source, findings: Iterable[Finding]) -> str:
    """The text with an ``ignore`` for each finding: at the end of its line, or above a statement of several lines."""
    wanted: dict[tuple[int, int], dict[str, None]] = {}
    for finding in sorted(findings, key=lambda finding: finding.sort_key):
        wanted.setdefault(_rows(finding), {})[finding.name] = None
    present = [s for s in suppressions(source) if s.kind == "ignore" and s.names]
    edits = [_ignore(source, rows, list(names), present) for rows, names in wanted.items()]
    text = source.text
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def _ignore(source: Source, rows: tuple[int, int], names: list[str], present: Sequence[Suppression]) -> Edit:
    first, last = rows
    for suppression in present:
        if first <= suppression.row <= last or (suppression.alone and first <= suppression.last_row <= last):
            return _keep(suppression, [*(suppression.names or ()), *names])
    comment = f"# mlxlint: ignore[{', '.join(names)}]"
    start, line = source.line_starts[first - 1], source.line(first)
    if first == last:
        end = len(line.rstrip())
        return Edit(start + end, start + len(line), f"  {comment}")
    indent = line[: len(line) - len(line.lstrip())]
    return Edit(start, start, f"{indent}{comment}{_newline(source)}")


def _newline(source: Source) -> str:
    match = re.search(r"\r\n?|\n", source.text)
    return match[0] if match else "\n"
