"""The syntax made of what is known is that which reading the text gives."""

from __future__ import annotations

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax_trees import difference

from mlxlint.model.tree import walk
from mlxlint.server import syntaxes
from mlxlint.server.syntaxes import Syntaxes
from mlxlint.syntax import read

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


@given(texts, edits)
def test_any_edits(text: str, changes: list[tuple[float, int, str]]) -> None:
    known = Syntaxes()
    for at, length, typed in [(0.0, 0, ""), *changes]:
        start = int(at * len(text))
        text = text[:start] + typed + text[start + length :]
        try:
            expected = read(text)
        except cst.ParserSyntaxError:
            with pytest.raises(cst.ParserSyntaxError):
                known.read(text, "a.py")
            continue
        found = known.read(text, "a.py")
        assert difference(found.tree, expected.tree) is None
        assert found.spans == expected.spans
        nodes = list(walk(found.tree))
        assert len({id(node) for node in nodes}) == len(nodes)


def test_only_what_changed_is_made_anew() -> None:
    text = "".join(STATEMENTS[:8])
    known = Syntaxes()
    before = known.read(text, "a.py")
    changed = text.replace("return a", "return b")
    after = known.read(changed, "a.py")
    assert sum(a is b for a, b in zip(before.tree.body, after.tree.body)) == len(before.tree.body) - 1
    assert known.read(changed, "a.py") is after


def test_the_files_read_last_are_kept() -> None:
    known = Syntaxes()
    first = known.read("x = 1\n", "first")
    for number in range(syntaxes.MOST):
        known.read("x = 1\n", str(number))
    assert known.read("x = 1\n", "first") is not first
