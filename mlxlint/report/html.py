"""One page: where the findings are, by family and severity, and each with its code and what verification showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TextIO

from mlxlint.report import ReportContext, shared
from mlxlint.report.excerpt import shown_rows
from mlxlint.report.page import Section, bar, cards, choice, filters, long_table, number, prose, table, text
from mlxlint.report.page import path as page_path
from mlxlint.report.page import write as write_page
from mlxlint.rule import Applicability, Finding, Severity

OPEN_UP_TO = 200  # findings; with more, files begin closed
WIDEST = 160  # characters of a line of code
MARGIN = 60  # of them before a place in a longer line
_HEADS = ("#Errors", "#Warnings", "#Notes", "=Share")
_SIGNS = {
    Severity.ERROR: "\N{MULTIPLICATION X}",
    Severity.WARNING: "\N{BLACK UP-POINTING TRIANGLE}",
    Severity.INFO: "i",
}
_FIXES = {Applicability.SAFE: "safe fix", Applicability.UNSAFE: "unsafe fix", Applicability.MANUAL: "fix by hand"}


def write(findings: Sequence[Finding], context: ReportContext, stream: TextIO) -> None:
    page = _Page(findings, context)
    sections = [Section("summary", "Summary", page.summary())]
    if findings:
        sections += [
            Section("files", "Where they are", page.files()),
            Section("families", "By family", page.families()),
            Section("rules", "By rule", page.rules()),
            Section("findings", "Findings", page.findings()),
        ]
    write_page("mlxlint report", page.lead(), sections, stream)


class _Page:
    def __init__(self, findings: Sequence[Finding], context: ReportContext) -> None:
        self.all = findings
        self.context = context
        self.groups = [(path, list(group)) for path, group in groupby(findings, key=lambda finding: finding.path)]
        self.numbers = {path: index for index, (path, _) in enumerate(self.groups)}

    def lead(self) -> str:
        checked = shared.counted(self.context.files, "file")
        if not self.all:
            return f"No problems found in {checked}."
        return f"{shared.counted(len(self.all), 'finding')} in {len(self.groups)} of {checked}."

    def summary(self) -> Iterator[str]:
        severities = Counter(finding.severity for finding in self.all)
        statuses = Counter(finding.verification.status for finding in self.all if finding.verification)
        fixes = Counter(finding.fix.applicability for finding in self.all if finding.fix)
        yield cards(
            [
                ("Errors", severities[Severity.ERROR]),
                ("Warnings", severities[Severity.WARNING]),
                ("Notes", severities[Severity.INFO]),
                *(
                    (_FIXES[kind].capitalize() + "es" * (kind is not Applicability.MANUAL), fixes[kind])
                    for kind in _FIXES
                ),
                *((status.capitalize(), count) for status, count in sorted(statuses.items())),
            ]
        )
        for aside in self._asides():
            yield f'<p class="weak">{text(aside)}</p>'

    def _asides(self) -> Iterator[str]:
        if self.context.suppressed:
            yield f"{self.context.suppressed} suppressed by comments."
        if self.context.baselined:
            yield f"{self.context.baselined} on record in the baseline, and left out."
        if self.context.fixed:
            yield f"{self.context.fixed} were fixed."
        for finding in self.all:
            if finding.verification and finding.verification.mlx:
                yield f"Reproductions were run on MLX {finding.verification.mlx}, {finding.verification.device}."
                return

    def files(self) -> Iterator[str]:
        counts = [(path, Counter(finding.severity for finding in group)) for path, group in self.groups]
        counts.sort(key=lambda item: (-item[1].total(), item[0]))
        most = counts[0][1].total()
        rows = [
            _counts(f'<a href="#f{self.numbers[path]}">{page_path(self._name(path))}</a>', of_file, most)
            for path, of_file in counts
        ]
        yield from long_table("Findings by file", ["File", *_HEADS], rows, "file")

    def families(self) -> Iterator[str]:
        by_family: dict[str, Counter[Severity]] = {}
        for finding in self.all:
            by_family.setdefault(family(finding.code), Counter())[finding.severity] += 1
        most = max(counts.total() for counts in by_family.values())
        subjects = _subjects(self.context)
        yield table(
            "Findings by family",
            ["Family", *_HEADS],
            (
                _counts(f"{text(code)} {text(subjects.get(code, ''))}", counts, most)
                for code, counts in sorted(by_family.items())
            ),
        )

    def rules(self) -> Iterator[str]:
        counts = shared.statistics(self.all)
        urls = {finding.code: finding.url for finding in self.all}
        rows = [
            f'<tr><th scope="row">{_link(count.code, urls[count.code])} {text(count.name)}</th>'
            f"<td>{_tag(count.severity)}</td>{number(count.count)}{number(count.fixable or '')}"
            f'<td class="wide">{bar([(count.severity.value, count.count)], counts[0].count)}</td></tr>'
            for count in counts
        ]
        yield from long_table("Findings by rule", ["Rule", "Worst", "#Findings", "#Safe fixes", "=Share"], rows, "rule")

    def findings(self) -> Iterator[str]:
        is_open = len(self.all) <= OPEN_UP_TO
        opened = " open" if is_open else ""
        yield filters("list", self._controls(), opened=is_open)
        yield '<div id="list">'
        for path, group in self.groups:
            name, counted = self._name(path), shared.counted(len(group), "finding")
            yield f'<details class="group" id="f{self.numbers[path]}" data-name="{text(name)}"{opened}>'
            yield f'<summary><span class="tag count">{counted}</span>{page_path(name)}</summary><ol class="findings">'
            yield from map(self._finding, group)
            yield "</ol></details>"
        yield "</div>"

    def _controls(self) -> Iterator[str]:
        for severity in Severity:
            if any(finding.severity is severity for finding in self.all):
                box = f'<input type="checkbox" name="severity" value="{severity.value}" checked>'
                yield f"<label>{box} {_tag(severity)}</label>"
        families = sorted({family(finding.code) for finding in self.all})
        yield choice("Family", "family", ((code, code) for code in families))
        yield choice("Rule", "rule", ((c.code, f"{c.code} {c.name}") for c in shared.statistics(self.all)))
        statuses = sorted({finding.verification.status for finding in self.all if finding.verification})
        if statuses:
            yield choice("Verification", "status", ((status, status) for status in statuses))

    def _finding(self, finding: Finding) -> str:
        status = f' data-status="{text(finding.verification.status)}"' if finding.verification else ""
        why = "".join(f"<li>{_label(label)}{prose(rest)}</li>" for label, rest in shared.explanation(finding))
        return (
            f'<li data-item data-severity="{finding.severity.value}" data-family="{text(family(finding.code))}" '
            f'data-rule="{text(finding.code)}"{status}>'
            f'<p class="message">{_tag(finding.severity)} <span class="place">{text(shared.place(finding))}</span> '
            f"{_link(finding.code, finding.url)} {text(finding.name)}: {prose(finding.message)}</p>"
            f"{self._code(finding)}" + (f'<ul class="why">{why}</ul>' if why else "") + "</li>"
        )

    def _code(self, finding: Finding) -> str:
        """The rows of a finding, its place marked."""
        source = self.context.source(finding.path)
        if source is None:
            return ""
        before = shared.rows_before(finding, self.context)
        last = max(finding.end.row, finding.start.row)
        if finding.end.column == 1 and last > finding.start.row:  # ends with a line break
            last -= 1
        width = len(str(last))
        rows = []
        for row in shown_rows(finding.start.row, last):
            if row is None:
                rows.append(f"<b>{'':{width}} ...</b>")
                continue
            line = source.line(row + before)
            first = finding.start.column - 1 if row == finding.start.row else len(line) - len(line.lstrip())
            end = finding.end.column - 1 if row == finding.end.row else len(line)
            rows.append(f"<b>{row:{width}} </b>{_marked(line, first, end)}")
        return f"<pre><code>{chr(10).join(rows)}</code></pre>"

    def _name(self, path: str) -> str:
        return shared.relative(path, self.context.root)


def family(code: str) -> str:
    """The family of a rule's code: MLX1xx of MLX101."""
    return f"{code[:-2]}xx"


def _subjects(context: ReportContext) -> dict[str, str]:
    if not context.rules:
        return {}
    from mlxlint.families import families

    return {family.code: family.subject for family in families()}


def _counts(head: str, counts: Counter[Severity], most: int) -> str:
    numbers = "".join(number(counts[severity] or "") for severity in Severity)
    shares = bar(((severity.value, counts[severity]) for severity in Severity), most)
    return f'<tr><th scope="row">{head}</th>{numbers}<td class="wide">{shares}</td></tr>'


def _tag(severity: Severity) -> str:
    return (
        f'<span class="tag {severity.value}"><span aria-hidden="true">{_SIGNS[severity]}</span> {severity.value}</span>'
    )


def _label(label: str) -> str:
    kind = label if label in ("confirmed", "refuted") else "weak"
    return f'<span class="{kind}">{text(label)}</span>'


def _link(code: str, url: str | None) -> str:
    safe = url is not None and url.startswith(("https://", "http://"))  # a rule pack's may be anything
    return f'<a href="{text(url)}">{text(code)}</a>' if safe else text(code)


def _marked(line: str, first: int, end: int) -> str:
    """A line with a part of it marked; of a long one what is around the part."""
    first = min(first, len(line))
    end = max(min(end, len(line)), first)
    low, high = 0, len(line)
    if len(line) > WIDEST:
        low = max(first - MARGIN, 0)
        high = min(low + WIDEST, len(line))
    end = min(end, high)
    head, tail = "..." * (low > 0), "..." * (high < len(line))
    marked = f"<mark>{text(line[first:end])}</mark>" if end > first else ""
    return f"{head}{text(line[low:first])}{marked}{text(line[end:high])}{tail}"
