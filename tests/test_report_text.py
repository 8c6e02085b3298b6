"""The reports for people: text and concise."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import CONFIRMED, ROOT, Terminal, finding, full, report

from mlxlint.report import ReportContext, write
from mlxlint.report.excerpt import clip
from mlxlint.rule import Applicability, Edit, Fix, Position, Severity, Verification

ESCAPE = "\x1b"


@pytest.fixture(autouse=True)
def _no_color_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def plain(styled: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", styled)


EVERYTHING = """\
model.py:4:8 error MLX101 boolean-mask-read: `x[mask]` reads through a mask
4 | kept = x[mask]
  |        ^^^^^^^
  = because `mask` is boolean: result of `>` (line 3)
  = because `x` is an array
  = fix [*]: Use `mx.where`
  = confirmed on cpu, MLX 0.32.4: ValueError: boolean indices

Found 1 error in 1 of 2 files; 1 fixable with --fix
"""


def test_a_finding_with_everything() -> None:
    assert report("text", full()) == EVERYTHING


def excerpt(text: str, part: str, **options: int) -> list[str]:
    lines = report("text", finding(text, part), sources=text, **options).splitlines()
    return [line for line in lines if re.match(r" *\d* \|", line)]


def test_a_place_over_lines_that_starts_a_line() -> None:
    assert excerpt("    f(\n        1,\n    )\n", "f(\n        1,\n    )") == [
        "1 | /     f(",
        "2 | |         1,",
        "3 | |     )",
        "  | |_____^",
    ]


def test_a_place_over_lines_that_starts_within_a_line() -> None:
    assert excerpt("y = f(\n    1,\n)\n", "f(\n    1,\n)") == [
        "1 |   y = f(",
        "  |  _____^",
        "2 | |     1,",
        "3 | | )",
        "  | |_^",
    ]


def test_the_middle_of_a_long_place_is_left_out() -> None:
    text = "f(\n" + "    1,\n" * 20 + ")\n"
    assert excerpt(text, text.rstrip("\n")) == [
        " 1 | / f(",
        " 2 | |     1,",
        " 3 | |     1,",
        " 4 | |     1,",
        "   | | ...",
        "21 | |     1,",
        "22 | | )",
        "   | |_^",
    ]


def test_a_place_that_ends_with_its_line_break_is_one_line() -> None:
    assert excerpt("a = 1\nb = 2\n", "a = 1\n") == ["1 | a = 1", "  | ^^^^^"]


@pytest.mark.parametrize(
    ("line", "shown", "marks"),
    [
        ("\tif x: bad()", "    if x: bad()", "          ^^^^^"),
        ("\t \tbad()", "        bad()", "        ^^^^^"),
        ("'日本' + bad()", "'日本' + bad()", "         ^^^^^"),
        ("'e\u0301' + bad()", "'e\u0301' + bad()", "      ^^^^^"),
        ("'\x1b[31m' + bad()", "'␛[31m' + bad()", "          ^^^^^"),
        ("'\u202e' + bad()", "'\ufffd' + bad()", "      ^^^^^"),
    ],
)
def test_the_underline_stands_below_what_a_terminal_shows(line: str, shown: str, marks: str) -> None:
    assert excerpt(line + "\n", "bad()") == [f"1 | {shown}", f"  | {marks}"]


def test_a_long_line_is_clipped_around_the_place() -> None:
    text = f"{'a' * 300} + bad() + {'b' * 300}\n"
    code, marks = excerpt(text, "bad()", width=60)
    assert len(code) <= 60
    assert code[4:7] == code[-3:] == "..."
    assert code[marks.index("^") : marks.rindex("^") + 1] == "bad()"


def test_sentences_are_wrapped_between_words_on_a_terminal() -> None:
    assert report("text", full(), width=50).splitlines()[:8] == [
        "model.py:4:8 error MLX101 boolean-mask-read:",
        "  `x[mask]` reads through a mask",
        "4 | kept = x[mask]",
        "  |        ^^^^^^^",
        "  = because `mask` is boolean: result of `>` (line",
        "    3)",
        "  = because `x` is an array",
        "  = fix [*]: Use `mx.where`",
    ]


def test_a_terminal_gives_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    on_terminal = report("text", full(), color=False, stream=Terminal())
    assert on_terminal == report("text", full(), width=50)
    assert report("text", full()) == EVERYTHING


def test_a_place_longer_than_the_terminal_is_clipped() -> None:
    code, marks = excerpt(f"bad({'1, ' * 100})\n", f"bad({'1, ' * 100})", width=60)
    assert code.startswith("1 | bad(1, 1,")
    assert code.endswith("...")
    assert marks.startswith("  | ^^^^")
    assert len(marks) <= len(code) <= 60


CHARACTERS = st.characters(exclude_categories=["Cs", "Mn", "Me", "Cf"], exclude_characters="\r\n")


def cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


@given(st.text(CHARACTERS, max_size=120), st.integers(0, 130), st.integers(0, 130), st.integers(20, 60))
def test_clipping_keeps_within_the_room(line: str, one: int, other: int, room: int) -> None:
    first, last = min(one, other), max(one, other)
    clipped = clip(line, first, last, room)
    assert cells(clipped.text) <= room
    assert 0 <= clipped.first <= clipped.last <= cells(clipped.text)


@given(st.text("abc", max_size=50), st.text("abc", max_size=50), st.integers(20, 60))
def test_clipping_keeps_the_place(before: str, after: str, room: int) -> None:
    clipped = clip(f"{before}PLACE{after}", len(before), len(before) + 5, room)
    assert clipped.text[clipped.first : clipped.last] == "PLACE"


def test_a_place_at_the_end_of_the_file() -> None:
    at = Position(5, 1)
    assert report("text", finding(start=at, end=at)).splitlines()[1:3] == ["5 |", "  | ^"]


def test_a_place_past_the_end_of_a_changed_file() -> None:
    beyond = finding(start=Position(90, 7), end=Position(92, 3))
    assert report("text", beyond).startswith("model.py:90:7 error MLX101")


def test_an_unreadable_file_has_no_excerpt() -> None:
    assert report("text", full(), sources=None).splitlines()[:2] == [
        "model.py:4:8 error MLX101 boolean-mask-read: `x[mask]` reads through a mask",
        "  = because `mask` is boolean: result of `>` (line 3)",
    ]


def test_rows_of_a_notebook_cell() -> None:
    in_cell = replace(finding(), path="port.ipynb", cell=3, start=Position(2, 8), end=Position(2, 15))
    lines = report("text", in_cell).splitlines()
    assert lines[0].startswith("port.ipynb:cell 3:2:8 error")
    assert lines[1:3] == ["2 | kept = x[mask]", "  |        ^^^^^^^"]


@pytest.mark.parametrize(
    ("applicability", "line", "summary"),
    [
        (Applicability.SAFE, "  = fix [*]: Do", "; 1 fixable with --fix"),
        (Applicability.UNSAFE, "  = fix (unsafe): Do", "; 1 fixable with --fix --unsafe-fixes"),
        (Applicability.MANUAL, "  = fix (by hand): Do", ""),
    ],
)
def test_who_may_apply_a_fix_is_said(applicability: Applicability, line: str, summary: str) -> None:
    lines = report("text", finding(fix=Fix("Do", applicability, (Edit(0, 0, "#"),)))).splitlines()
    assert line in lines
    assert lines[-1] == f"Found 1 error in 1 of 2 files{summary}"


def test_the_summary_counts() -> None:
    fix = Fix("Do", Applicability.SAFE, (Edit(0, 0, "#"),))
    findings = [
        finding(),
        finding(fix=fix),
        finding(fix=replace(fix, applicability=Applicability.UNSAFE)),
        finding(severity=Severity.WARNING, path="other.py"),
    ]
    summary = report("text", *findings, files=40, suppressed=2, baselined=7, elapsed=1.26).splitlines()[-2:]
    assert summary == [
        "Found 3 errors, 1 warning in 2 of 40 files (1.3 s); 1 fixable with --fix, 1 more with --unsafe-fixes",
        "2 suppressed, 7 in the baseline",
    ]


def test_nothing_found() -> None:
    assert report("text", files=1) == "No problems found in 1 file\n"


def test_statistics_instead_of_findings() -> None:
    findings = [full(), finding(), *[finding(code="MLX401", name="view", severity=Severity.INFO)] * 10]
    assert report("text", *findings, statistics=True).splitlines() == [
        "10  info     MLX401  [ ] view",
        " 2  error    MLX101  [-] boolean-mask-read",
        "",
        "Found 2 errors, 10 infos in 1 of 2 files; 1 fixable with --fix",
    ]


def test_colors_change_no_character() -> None:
    styled = report("text", full(), color=True)
    assert ESCAPE in styled
    assert plain(styled) == report("text", full(), color=False)


def test_the_code_links_to_its_page_on_a_terminal_only() -> None:
    link = "]8;"
    assert link in report("text", full(), color=True, stream=Terminal())
    assert link not in report("text", full(), color=True)


@pytest.mark.parametrize(
    ("variables", "terminal", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_who_decides_on_color(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], terminal: bool, colored: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    assert (ESCAPE in report("text", full(), stream=stream)) == colored
    assert ESCAPE not in report("text", full(), stream=type(stream)(), color=False)


def test_what_is_linted_cannot_write_escapes_to_the_terminal() -> None:
    text = "x = '\x1b]0;owned\x07\x9b31m'; bad()\n"
    hostile = finding(text, "bad()", message="\x1b[2J\n`bad`", path="a\x1b[31m.py")
    for format in ("text", "concise"):
        written = report(format, hostile, sources=text)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", written)


def test_a_plain_report_imports_neither_rich_nor_pygments() -> None:
    code = (
        "import sys, report_cases; report_cases.report('text', report_cases.full());"
        "sys.exit(any(name.split('.')[0] in ('rich', 'pygments') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=__file__.rpartition("test_report")[0])


def test_a_stream_that_cannot_encode_a_character_gets_an_escape() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    text = "'日' + bad()\n"
    context = ReportContext(lambda path: text, 1, ROOT)
    for format in ("text", "concise", "github"):
        write(format, [finding(text, "bad()", path="naïve.py")], context, stream)
    stream.seek(0)
    assert stream.read().count("na\\xefve.py:1:7") == 3


def test_thousands_of_findings_take_no_time() -> None:
    findings = [replace(full(), path=f"model{number % 100}.py") for number in range(5000)]
    begun = time.process_time()
    report("text", *findings)
    assert time.process_time() - begun < 3  # a third of it on an idle machine


def test_a_huge_line_costs_what_is_shown_of_it() -> None:
    text = "x = 1; " * 100_000 + "bad()\n"
    begun = time.process_time()
    written = report("text", *[finding(text, "bad()")] * 500, sources=text)
    assert time.process_time() - begun < 3
    assert len(written) < 500 * 500


def test_concise_is_one_line_each() -> None:
    verifications = (None, CONFIRMED, Verification("skipped", reason="no GPU"))
    assert report("concise", *[finding(verification=verification) for verification in verifications]).splitlines() == [
        "model.py:4:8: MLX101 `x[mask]` reads through a mask [boolean-mask-read]",
        "model.py:4:8: MLX101 `x[mask]` reads through a mask [boolean-mask-read]"
        " (confirmed on cpu, MLX 0.32.4: ValueError: boolean indices)",
        "model.py:4:8: MLX101 `x[mask]` reads through a mask [boolean-mask-read] (skipped: no GPU)",
    ]


def test_concise_without_findings_is_empty() -> None:
    assert report("concise") == ""


def test_concise_statistics_are_those_of_text() -> None:
    assert report("concise", full(), statistics=True) == report("text", full(), statistics=True)
