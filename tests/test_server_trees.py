"""Trees made of known ones are the trees that parsing the text gives."""

from __future__ import annotations

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlint.parse import parse
from mlxlint.server import trees
from mlxlint.server.trees import Trees

FUNCTION = "@d\n# why\n@e\ndef f(a):\n    '''doc'''\n    return a\n    # end\n\n"
STATEMENTS = [
    "x = 1\n",
    "import a; import b\n",
    "# comment\n",
    "\n",
    FUNCTION,
    "if x:\n    pass\nelse:\n    y = '''\n# no comment\n'''\n",
    "class A:\n    x = 1  # c\n\n    def g(self): pass\n",
    "z = (\n    1,\n)  # z\n",
    "    # indented\n",
    "x = \\\n  2\n",
    "for i in x: print(i)\n",
    "try:\n  x\nfinally:\n  y\n",
]
TYPED = [
    "",
    "a",
    " ",
    "\n",
    "    ",
    "(",
    ")",
    "'''",
    "\\",
    "\\\n",
    "else:\n  pass\n",
    "@d\n",
    "# c\n",
    "x; ",
    "if y:\n",
    "pass\n",
    ":",
]
texts = st.lists(st.sampled_from(STATEMENTS), max_size=8).map("".join)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from([*TYPED, *STATEMENTS])), max_size=6)


def parsed(text: str) -> cst.Module | None:
    try:
        return parse(text)
    except cst.ParserSyntaxError:
        return None


@given(texts, edits)
def test_any_edits(text: str, changes: list[tuple[float, int, str]]) -> None:
    known = Trees()
    for at, length, typed in [(0.0, 0, ""), *changes]:
        start = int(at * len(text))
        text = text[:start] + typed + text[start + length :]
        expected = parsed(text)
        if expected is None:
            with pytest.raises(cst.ParserSyntaxError):
                known.parse(text)
        else:
            assert known.parse(text).deep_equals(expected)


def test_only_what_changed_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(STATEMENTS[:8])
    known = Trees()
    before = known.parse(text)
    asked: list[str] = []
    monkeypatch.setattr(trees, "parse", lambda part: asked.append(part) or parse(part))
    after = known.parse(text.replace("return a", "return b"))
    assert asked == [FUNCTION.replace("return a", "return b") + "pass\n"]
    assert sum(a is b for a, b in zip(before.body, after.body)) == len(before.body) - 2
    known.parse(text.replace("return a", "return b"))
    assert len(asked) == 1


def test_the_files_parsed_last_are_kept() -> None:
    known = Trees()
    first = known.parse("x = 1\n", "first")
    for number in range(trees.MOST):
        known.parse("x = 1\n", str(number))
    assert known.parse("x = 1\n", "first") is not first
