"""Suppression comments: finding them, applying them, reporting those that do nothing, writing new ones.

``# mlxlint: ignore[name-or-code, ...] reason`` on a line of a statement or alone above it, ``# mlxlint: ignore`` for
every rule; ``file-ignore`` for the file; ``disable`` and ``enable`` for a range; and ``# noqa`` as flake8 has it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from mlxlint import registry
from mlxlint.config import ALWAYS, did_you_mean, suggest_rule
from mlxlint.notebook import in_text
from mlxlint.rule import Applicability, Edit, Finding, Fix
from mlxlint.source import Source
from mlxlint.tool import tool_finding

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
_HEAD = re.compile(r"#!|[ \t\f]*#.*?coding[:=]")  # what has to stay at the top of a file
_BLANK_TOKENS = frozenset({tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


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

    @cached_property
    def codes(self) -> set[str]:
        return {code for name in self.names or () if (code := registry.code_of(name))}

    @property
    def unknown(self) -> list[str]:
        """The names that are no rule's; in a ``# noqa`` only codes that look like those of an installed rule."""
        names = [name for name in self.names or () if not registry.code_of(name)]
        ours = {_letters(code) for code in registry.rules()}
        return [name for name in names if self.kind != "noqa" or _letters(name) in ours]

    def names_rule(self, code: str) -> bool:
        return self.names is None or code in self.codes

    @property
    def rows(self) -> set[int]:
        """The rows of code it holds for, when it holds for single statements."""
        if self.kind == "ignore":
            return {self.row, self.last_row}
        return {self.row} if self.kind == "noqa" else set()

    def spans(self, finding: Finding) -> bool:
        """Whether it holds for more than a statement, a finding among it."""
        if self.kind == "disable":
            return self.row <= finding.start.row <= self.ends.get(finding.code, self.last_row)
        return self.kind == "file-ignore"


def _letters(code: str) -> str:
    return code.rstrip("0123456789").upper() if _CODE.fullmatch(code) else ""


# Reading


def suppressions(source: Source) -> list[Suppression]:
    """The suppressions in a file's comments, in order, ranges closed."""
    return _suppressions(source, Layout.of(source)) if _may_suppress(source.text) else []


def _may_suppress(text: str) -> bool:
    return "mlxlint:" in text or "noqa" in text.lower()


def _suppressions(source: Source, layout: Layout) -> list[Suppression]:
    found = [directive for comment in layout.comments for directive in _directives(source, comment)]
    _close_ranges(found, len(source.line_starts))
    return found


@dataclass(eq=False)
class Comment:
    """A comment; ``code_row`` is the row of the code it stands beside or directly above, 0 when there is none."""

    offset: int
    text: str
    code_row: int
    alone: bool


@dataclass
class Layout:
    """Comments and logical lines of a text, as far as it is Python."""

    comments: list[Comment] = field(default_factory=list)
    lines: dict[int, tuple[int, int]] = field(default_factory=dict)  # row -> first and last row of its logical line

    @classmethod
    def of(cls, source: Source) -> Layout:
        layout = cls()
        with suppress(tokenize.TokenError, SyntaxError):  # no Python, which is reported as such
            layout._read(source, tokenize.generate_tokens(io.StringIO(source.text, newline=None).readline))
        return layout

    def _read(self, source: Source, tokens: Iterable[tokenize.TokenInfo]) -> None:
        pending: list[Comment] = []
        first = row = 0  # of the logical line, of the last token of code
        for token in tokens:
            if token.type == tokenize.COMMENT:
                alone = token.start[0] != row
                offset = source.line_starts[token.start[0] - 1] + token.start[1]
                self.comments.append(comment := Comment(offset, token.string, 0 if alone else row, alone))
                pending += [comment] if alone else []
            elif token.type == tokenize.NL and not token.line.strip():
                pending.clear()
            elif token.type == tokenize.NEWLINE:
                self.lines.update(dict.fromkeys(range(first, row + 1), (first, row)))
                first = 0
            elif token.type not in _BLANK_TOKENS:
                for comment in pending:
                    comment.code_row = token.start[0]
                pending.clear()
                first, row = first or token.start[0], token.end[0]

    def rows(self, finding: Finding) -> tuple[int, int]:
        """The rows of the logical line at which a finding stands."""
        stated = finding.statement if finding.statement[0] else (finding.start.row, finding.end.row)
        return self.lines.get(finding.start.row, stated)


def _directives(source: Source, comment: Comment) -> Iterator[Suppression]:
    offset, row = comment.offset, source.position(comment.offset).row
    for match in _DIRECTIVE.finditer(comment.text):
        kind = "noqa" if match["noqa"] else match["kind"].lower()
        if kind not in _KINDS and match["names"] is None:
            continue  # prose
        group = "codes" if match["noqa"] else "names"
        names, (start, end) = match[group], match.span(group)
        if names is not None and kind == "noqa":
            names = _noqa_codes(names) or None
            end = start + len(names or "")
        another = _ANOTHER_COMMENT.search(comment.text, match.end())
        yield Suppression(
            kind=kind,
            names=None if names is None else tuple(re.findall(r"[^\s,]+", names)),
            names_span=(offset + start, offset + end),
            span=(offset + match.start(), offset + (another.start() if another else len(comment.text.rstrip()))),
            row=row,
            last_row=comment.code_row if comment.alone else row,
            alone=comment.alone,
        )


def _noqa_codes(text: str) -> str:
    """The leading words that are codes, or names of rules; what follows is the reason."""
    end = 0
    for word in re.finditer(r"[^\s,]+", text):
        if not _CODE.fullmatch(word[0]) and not registry.code_of(word[0]):
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
    if not _may_suppress(source.text):
        return list(findings)
    layout = Layout.of(source)
    found = _suppressions(source, layout)
    index = _Index(found)
    kept = [finding for finding in findings if not _suppressed(finding, index.covering(finding, layout.rows(finding)))]
    if any(finding.code in ALWAYS for finding in findings):
        return kept  # it is not known what would have been found
    reports = [report for suppression in found for report in _reports(source, suppression, enabled)]
    return kept + [report for report in reports if report.code in enabled and not _tolerated(report, layout, index)]


_PRECEDENCE = ("ignore", "noqa", "disable", "file-ignore")  # the narrowest is the one that is used


class _Index:
    """Suppressions by the rows of code they hold for; those that hold for more in a list of their own."""

    def __init__(self, found: Iterable[Suppression]) -> None:
        self._by_row: dict[int, list[Suppression]] = {}
        self._wide: list[Suppression] = []
        for suppression in found:
            for row in suppression.rows:
                self._by_row.setdefault(row, []).append(suppression)
            if not suppression.rows:
                self._wide.append(suppression)

    def at(self, rows: tuple[int, int]) -> list[Suppression]:
        return [suppression for row in range(rows[0], rows[1] + 1) for suppression in self._by_row.get(row, ())]

    def covering(self, finding: Finding, rows: tuple[int, int]) -> list[Suppression]:
        """Those that hold for a finding on a logical line of these rows, and for its rule."""
        fitting = [*self.at(rows), *(suppression for suppression in self._wide if suppression.spans(finding))]
        return [suppression for suppression in fitting if suppression.names_rule(finding.code)]


def _suppressed(finding: Finding, fitting: Sequence[Suppression]) -> bool:
    if not fitting:
        return False
    min(fitting, key=lambda s: _PRECEDENCE.index(s.kind)).used.add(finding.code)
    return True


def _tolerated(report: Finding, layout: Layout, index: _Index) -> bool:
    """Whether a report about a suppression is itself suppressed, which a bare one cannot do: it would hide itself."""
    return any(s.names is not None for s in index.covering(report, layout.rows(report)))


def _reports(source: Source, suppression: Suppression, enabled: Collection[str]) -> Iterator[Finding]:
    def report(rule: str, data: Mapping[str, str], names: Sequence[str] = ()) -> Finding:
        return tool_finding(rule, source, suppression.span, data, _removal(source, suppression, names))

    if suppression.kind not in _KINDS:
        word = f"`{suppression.kind}`{did_you_mean(suppression.kind, _KINDS)}"
        yield tool_finding(UNKNOWN, source, suppression.span, {"what": "directive", "names": word})
        return
    if unknown := suppression.unknown:
        words = (f"`{name}`{suggest_rule(name)}" for name in unknown)
        yield report(UNKNOWN, {"what": "rule", "names": ", ".join(words)}, unknown)
    if not suppression.names:
        if suppression.kind != "noqa" and not suppression.used and set(registry.rules()) <= set(enabled):
            yield report(UNUSED, {"names": ""})
    elif unused := [name for name in suppression.names if _is_unused(name, suppression, enabled)]:
        yield report(UNUSED, {"names": f": {_quoted(unused)}"}, unused)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _is_unused(name: str, suppression: Suppression, enabled: Collection[str]) -> bool:
    code = registry.code_of(name)
    if code is None or code not in enabled or registry.name_of(code) in (UNUSED, UNKNOWN):
        return False
    return code not in suppression.used


def _removal(source: Source, suppression: Suppression, names: Sequence[str]) -> Fix:
    """Removes names from a directive; the directive, and its line, when nothing else is left there."""
    left = [name for name in suppression.names or () if name not in names]
    if left:
        return Fix(f"Remove {_quoted(names)}", Applicability.SAFE, (_keep(suppression, left),))
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
    text = source.text
    for edit in sorted(ignores(source, findings), key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def ignores(source: Source, findings: Iterable[Finding]) -> list[Edit]:
    """The edits that write an ``ignore`` for each finding."""
    layout = Layout.of(source)
    index = _Index(s for s in _suppressions(source, layout) if s.kind == "ignore" and s.names)
    wanted: dict[tuple[int, int], dict[str, None]] = {}
    for finding in sorted((in_text(f, source) for f in findings), key=lambda finding: finding.sort_key):
        wanted.setdefault(layout.rows(finding), {})[finding.name] = None
    return [_ignore(source, rows, list(names), index.at(rows)) for rows, names in wanted.items()]


def file_ignore(source: Source, name: str) -> Edit:
    """The edit that writes a ``file-ignore`` of a rule: in the one there is, else at the top of the file."""
    for suppression in suppressions(source):
        if suppression.kind == "file-ignore" and suppression.names:
            return _keep(suppression, [*suppression.names, name])
    row = next(row for row in (1, 2, 3) if not _HEAD.match(source.line(row)))
    start = source.line_starts[row - 1] if row <= len(source.line_starts) else len(source.text)
    return Edit(start, start, f"# mlxlint: file-ignore[{name}]{source.newline}")


def _ignore(source: Source, rows: tuple[int, int], names: list[str], present: Sequence[Suppression]) -> Edit:
    if present:
        return _keep(present[0], [*(present[0].names or ()), *names])
    first, last = rows
    comment = f"# mlxlint: ignore[{', '.join(names)}]"
    start, line = source.line_starts[first - 1], source.line(first)
    if first == last:
        return Edit(start + len(line.rstrip()), start + len(line), f"  {comment}")
    indent = line[: len(line) - len(line.lstrip())]
    newline = source.text[start + len(line) : source.line_starts[first]]
    return Edit(start, start, f"{indent}{comment}{newline}")
