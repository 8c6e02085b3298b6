"""Edits to text: what goes together, until when, and what is taken back."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlint import fix as fixing
from mlxlint.fix import Fixed, apply, choose
from mlxlint.rule import Applicability, Confidence, Edit, Finding, Fix, Kind, Severity
from mlxlint.source import Source


def finding(*edits: Edit, name: str = "some-rule", applicability: Applicability = Applicability.SAFE) -> Finding:
    source = Source("x.py", " " * 200)
    start, end = min(e.start for e in edits), max(e.end for e in edits)
    return Finding(
        "MLX999", name, "message", "x.py", Severity.WARNING, Confidence.CERTAIN, Kind.SILENT, source.position(start),
        source.position(end), (start, end), fix=Fix("do it", applicability, tuple(edits)),
    )  # fmt: skip


def fix(source: Source, lint: Callable[[Source], Sequence[Finding]]) -> Fixed:
    return fixing.fix(source, lint(source), lint)


def rename(old: str, new: str, name: str = "some-rule") -> Callable[[Source], list[Finding]]:
    def lint(source: Source) -> list[Finding]:
        return [finding(Edit(m.start(), m.end(), new), name=name) for m in re.finditer(old, source.text)]

    return lint


def test_edits_of_different_findings_never_overlap() -> None:
    first, second, third = finding(Edit(0, 5, "a")), finding(Edit(3, 8, "b")), finding(Edit(5, 6, "c"))
    assert choose([third, second, first], unsafe=False) == [first, third]


def test_an_edit_two_fixes_share_is_made_once() -> None:
    shared = Edit(0, 0, "import mlx.core as mx\n")
    one, two = finding(shared, Edit(4, 5, "y")), finding(shared, Edit(8, 9, "z"))
    assert apply("a = x + x", [f.fix for f in choose([one, two], False) if f.fix]) == "import mlx.core as mx\na = y + z"


def test_unsafe_fixes_wait_to_be_asked_for_and_manual_ones_are_never_applied() -> None:
    unsafe = finding(Edit(0, 1, "u"), applicability=Applicability.UNSAFE)
    manual = finding(Edit(2, 3, "m"), applicability=Applicability.MANUAL)
    assert choose([unsafe, manual], unsafe=False) == []
    assert choose([unsafe, manual], unsafe=True) == [unsafe]


def test_passes_go_on_until_nothing_changes() -> None:
    def lint(source: Source) -> list[Finding]:
        return [finding(Edit(m.start(), m.end(), str(int(m[0]) - 1))) for m in re.finditer(r"[1-9]", source.text)]

    done = fix(Source("x.py", "x = 3\n"), lint)
    assert (done.source.text, len(done.fixed), done.stable) == ("x = 0\n", 3, True)


def test_fixes_that_undo_each_other_end() -> None:
    def lint(source: Source) -> list[Finding]:
        return rename("a", "b")(source) + rename("b", "a")(source)

    done = fix(Source("x.py", "a = 1\n"), lint)
    assert not done.stable
    assert ast.parse(done.source.text)


def test_a_fix_that_breaks_the_text_is_taken_back_and_the_others_stay() -> None:
    def lint(source: Source) -> list[Finding]:
        return rename("bad", "(", name="broken-rule")(source) + rename("old", "new")(source)

    done = fix(Source("x.py", "bad = old\n"), lint)
    assert (done.source.text, done.broken) == ("bad = new\n", ["broken-rule"])


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("def f():\n    y = old\n", "    y = old", "    pass\nreturn"),
        ("def f(x, old):\n    pass\n", "old", "x"),
        ("def f():\n    old\n", "old", "await g()"),
        ("def f(x):\n    x = 1\n    old\n", "old", "global x"),
    ],
)
def test_a_fix_whose_result_parses_but_does_not_compile_is_not_made(text: str, old: str, new: str) -> None:
    assert ast.parse(text.replace(old, new))
    done = fix(Source("x.py", text), rename(old, new))
    assert (done.source.text, done.broken, done.fixed) == (text, ["some-rule"], [])


def test_a_file_that_does_not_compile_may_still_be_fixed() -> None:
    done = fix(Source("x.py", "return old\n"), rename("old", "new"))
    assert (done.source.text, done.broken) == ("return new\n", [])


def test_fixes_that_break_the_text_only_together_are_made_one_after_the_other() -> None:
    def lint(source: Source) -> list[Finding]:
        lines = list(re.finditer(r"    drop\(\)\n", source.text))
        replacement = "    pass\n" if source.text.count("\n") == 2 else ""
        return [finding(Edit(m.start(), m.end(), replacement)) for m in lines]

    done = fix(Source("x.py", "if x:\n    drop()\n    drop()\n    drop()\n"), lint)
    assert (done.source.text, done.broken, done.stable) == ("if x:\n    pass\n", [], True)


def test_a_file_that_does_not_parse_may_still_be_fixed() -> None:
    done = fix(Source("x.py", "old = (\n"), rename("old", "new"))
    assert done.source.text == "new = (\n"


def test_half_a_pair_of_parentheses_wanted_twice_is_two_of_them() -> None:
    outer, inner = finding(Edit(0, 0, "f("), Edit(4, 4, ")")), finding(Edit(2, 2, "g("), Edit(4, 4, ")"))
    assert choose([outer, inner], unsafe=False) == [outer]


def test_a_fix_that_the_files_encoding_has_no_letters_for_is_not_made() -> None:
    text = "# coding: latin-1\nold = 1\n"
    done = fix(Source("x.py", text, "iso-8859-1"), rename("old", "\N{GREEK SMALL LETTER PI}"))
    assert (done.source.text, done.broken) == (text, ["some-rule"])


def test_a_fix_that_ends_the_files_encoding_is_not_made() -> None:
    text = "# coding: latin-1\nx = '\xe9'  # old\n"
    done = fix(Source("x.py", text, "iso-8859-1"), rename("# coding: latin-1", "# coding: utf-8"))
    assert done.source.text == text


def test_what_is_left_is_what_the_last_text_shows() -> None:
    def lint(source: Source) -> list[Finding]:
        manual = [finding(Edit(0, 1, "m"), name="manual-rule", applicability=Applicability.MANUAL)]
        return rename("old", "new")(source) + manual

    done = fix(Source("x.py", "x = old\n"), lint)
    assert [f.name for f in done.fixed] == ["some-rule"]
    assert [f.name for f in done.left] == ["manual-rule"]


edits = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6), st.text("ab\n", max_size=3)), max_size=8)


@given(edits)
def test_any_set_of_findings_gives_a_text_in_which_each_chosen_edit_was_made(
    raw: Sequence[tuple[int, int, str]],
) -> None:
    text = "0123456789" * 4
    found = [finding(Edit(start, start + length, content)) for start, length, content in raw]
    chosen = choose(found, unsafe=False)
    result = apply(text, [f.fix for f in chosen if f.fix])
    kept = {e for f in chosen if f.fix for e in f.fix.edits}
    assert len(result) == len(text) + sum(len(e.content) - (e.end - e.start) for e in kept)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_are_kept(newline: str) -> None:
    done: Fixed = fix(Source("x.py", f"old = 1{newline}y = 2{newline}"), rename("old", "new"))
    assert done.source.text == f"new = 1{newline}y = 2{newline}"
