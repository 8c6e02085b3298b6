"""From a source to findings: places, edits, broken rules, hostile sources, other modules of the project."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from pathlib import Path

import libcst as cst
import pytest

from mlxlint.context import Context
from mlxlint.engine import Analysis
from mlxlint.fix import apply
from mlxlint.model.calls import MAX_AWAY
from mlxlint.rule import (
    Applicability,
    Confidence,
    Finding,
    Insert,
    InsertStatement,
    Kind,
    NodeEdit,
    NodeFix,
    Position,
    Replace,
    Rule,
    Severity,
    Span,
)
from mlxlint.source import Source


class Marked(Rule):
    """Reports every call of `mark`."""

    code, name, kind, severity, message = "TST001", "marked", Kind.SILENT, Severity.WARNING, "called with {text}"

    def edits(self, node: cst.Call) -> list[NodeEdit]:
        return []

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if isinstance(node.func, cst.Name) and node.func.value == "mark":
            fix = NodeFix("fix it", self.edits(node), Applicability.SAFE)
            context.report(self, node, text=context.brief(node.args[0]) if node.args else "", fix=fix)


def lint(text: str, *rules: Rule, path: Path | None = None, **options: object) -> list[Finding]:
    return Analysis(rules or [Marked()], **options).lint(Source("x.py", text), path)  # type: ignore[arg-type]


def cut(text: str, finding: Finding) -> str:
    return text[slice(*finding.offsets)]


@pytest.mark.parametrize(
    "text",
    [
        "mark(1)\n",
        "if True:\n\tx = [mark(1)]\n",
        "# größer 😀\nx = '😀', mark(1)\n",
        "a = 1\r\nb = mark(1)\r\n",
        "a = 1\rb = mark(1)\r",
        "x = (\n    mark(1) +\n    2\n)\n",
        "def f(x=mark(1)): return x",
        "@mark(1)\nclass C: pass\n",
        "s = '\x0b\x1c\u2028'; mark(1)\n",
        "x = f'{mark(1)}'\n",
        "\x0cmark(1)\n",
        "if a:\n    b\n    \\\r\n  c\n    d = mark(1)\n",
        "if a:\n  b\n\\\n  c\n  d = mark(1)",
        "a\n\\\nmark(1)\n",
    ],
)
def test_places_are_those_of_the_text(text: str) -> None:
    (finding,) = lint(text)
    assert cut(text, finding) == "mark(1)"
    lines = Source("x.py", text).line_starts
    assert lines[finding.start.row - 1] + finding.start.column - 1 == finding.offsets[0]
    assert lines[finding.end.row - 1] + finding.end.column - 1 == finding.offsets[1]


def test_a_suppression_may_stand_on_any_row_of_the_statement() -> None:
    (finding,) = lint("x = f(\n    1,\n    mark(1),\n    2,\n)\n")
    assert (finding.statement, finding.start.row) == ((1, 5), 3)


@pytest.mark.parametrize(
    ("edits", "text", "expected"),
    [
        (lambda n: [Replace(n.func, "other")], "x = mark(1)  # why\n", "x = other(1)  # why\n"),
        (lambda n: [Span(n, n.args[0], "(", before=True)], "x = mark( 1)\n", "x = (1)\n"),
        (lambda n: [Insert(n, "-"), Insert(n, ".y", after=True)], "x = mark(1)\n", "x = -mark(1).y\n"),
        (
            lambda n: [InsertStatement(n, "done()")],
            "if a:\n    mark(1)  # why\n",
            "if a:\n    mark(1)  # why\n    done()\n",
        ),
        (
            lambda n: [InsertStatement(n, "first()", after=False)],
            "if a:\n    mark(1)\n",
            "if a:\n    first()\n    mark(1)\n",
        ),
        (lambda n: [InsertStatement(n, "done()")], "mark(1)", "mark(1)\ndone()"),
        (lambda n: [InsertStatement(n, "done()")], "mark(1)\r\nx = 1\r\n", "mark(1)\r\ndone()\r\nx = 1\r\n"),
        (lambda n: [InsertStatement(n, "done()")], "mark(\n  1\n); x = 2\n", "mark(\n  1\n); x = 2\ndone()\n"),
    ],
)
def test_edits_of_nodes_become_edits_of_text(edits: object, text: str, expected: str) -> None:
    rule = Marked()
    rule.edits = edits  # type: ignore[method-assign, assignment]
    (finding,) = lint(text, rule)
    assert finding.fix is not None
    assert apply(text, [finding.fix]) == expected
    ast.parse(expected)


def test_a_one_line_suite_has_no_place_for_a_statement() -> None:
    rule = Marked()
    rule.edits = lambda n: [InsertStatement(n, "done()")]  # type: ignore[method-assign, assignment]
    (finding,) = lint("if a: mark(1)\n", rule)
    assert finding.fix is None


class Raising(Marked):
    code, name = "TST002", "raising"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        raise ValueError("an unforeseen call")


def test_a_rule_that_raises_is_reported_once_and_costs_no_other_rule() -> None:
    found = lint("mark(1)\nmark(2)\n", Raising(), Marked())
    assert [f.code for f in found] == ["MLX002", "TST001", "TST001"]
    assert "TST002" in found[0].message
    assert "an unforeseen call" in found[0].message


class General(Marked):
    code, name, yields_to = "TST003", "general", ("marked",)


def test_where_two_rules_meet_the_more_specific_speaks() -> None:
    assert [f.code for f in lint("mark(1)\n", General(), Marked())] == ["TST001"]
    assert [f.code for f in lint("mark(1)\n", General())] == ["TST003"]


class Named(Marked):
    code, name, calls = "TST004", "named", frozenset({"softmax"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        context.report(self, node, text=context.callee(node))


def test_calls_are_handed_out_by_the_last_part_of_their_name() -> None:
    text = "import mlx.core as mx\nfrom mlx.core import softmax as sm\nx = mx.exp(sm(mx.array(1)))\ny = softmax(x)\n"
    assert [cut(text, f) for f in lint(text, Named())] == ["sm(mx.array(1))"]


@pytest.mark.parametrize("text", ["def f(:\n", "print 'x'\n", "x = [1, 2\n", "\tx = 1\n  y = 2\n", "class\n"])
def test_what_does_not_parse_is_a_finding_inside_the_file(text: str) -> None:
    (finding,) = lint(text)
    assert finding.code == "MLX001"
    assert 0 <= finding.offsets[0] <= len(text)


@pytest.mark.parametrize(("text", "row", "column"), [("a = 1\ndef f(:\n    pass\n", 2, 7), ("f(a b)\nc = 1\n", 1, 3)])
def test_what_does_not_parse_is_told_where_python_tells_it(text: str, row: int, column: int) -> None:
    (finding,) = lint(text)
    assert (finding.start.row, finding.start.column) == (row, column)


def test_what_only_the_parser_does_not_take_is_told_where_it_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlxlint.engine._told_by_python", lambda text: None)
    (finding,) = lint("f(a b)\nc = 1\n")
    assert (finding.start.row, finding.start.column) == (1, 6)
    assert "error at" not in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "x = " + "(" * 90 + "1" + ")" * 90 + "\n",
        "x = " + "+".join(["1"] * 1200) + "\n",
        "x = " + "-" * 1500 + "1\n",
        "x = " + "a." * 2000 + "b\n",
        "x = " + "f(" * 80 + ")" * 80 + "\n",
        "".join(f"{' ' * i}if a:\n" for i in range(90)) + " " * 90 + "mark(1)\n",
        "x = [" + "[1], " * 20_000 + "]\n",
        "def f(n): return f(f(n))\nx = f(f)\nf = f\nclass A(A): pass\nfrom x import *\n",
        "x = x = (x, x)\nfor x in x:\n    x = [x]\n    for x in x:\n        x = {x: x}\n",
        "x = " + " and ".join(["x"] * 20_000) + "\n",
    ],
)
def test_no_source_is_too_much(text: str) -> None:
    assert all(f.code != "MLX002" for f in lint(text))


@pytest.mark.parametrize(
    "text", [f"x = {'(' * 3000}1{')' * 3000}", f"x = {'-' * 20_000}1", "if x: 1\n" + "elif x: 1\n" * 20_000]
)
def test_what_nests_too_deeply_for_any_parser_is_a_finding(text: str) -> None:
    assert [f.code for f in lint(f"{text}\n")] == ["MLX001"]


@pytest.mark.parametrize("depth", [10, 400])
def test_places_hold_in_what_nests_deeper_than_python_parses(depth: int) -> None:
    [finding] = lint(f"# \N{GREEK SMALL LETTER PI}\n\nx = {'(' * depth}1{')' * depth}\ny = [1]; mark(1)\n")
    assert (finding.start, finding.end) == (Position(4, 10), Position(4, 17))


def test_time_does_not_explode_with_functions_that_call_one_another() -> None:
    calls = "\n".join(
        f"def f{i}(x, y):\n    return f{i + 1}(x, y) or f{i + 1}(y, x) or f{i + 1}((x, y), x)" for i in range(30)
    )
    assert lint(f"{calls}\ndef f30(x, y):\n    return x\nf0(1, 'a')\n") == []


def test_confidence_below_the_limit_is_not_reported() -> None:
    class Unsure(Marked):
        code, name = "TST005", "unsure"

        def visit_Call(self, node: cst.Call, context: Context) -> None:
            context.report(self, node, text="", confidence=Confidence.POSSIBLE)

    assert lint("mark(1)\n", Unsure()) == []
    assert len(lint("mark(1)\n", Unsure(), min_confidence=Confidence.POSSIBLE)) == 1


class Masks(Marked):
    """Reports every boolean array."""

    code, name = "TST006", "masks"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        array = context.array(node)
        if array is not None and array.dtype == "bool_":
            context.report(self, node, text="", because=[node])


def project(folder: Path, files: dict[str, str]) -> dict[str, list[Finding]]:
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# mlx\n" + text)
    analysis = Analysis([Masks()])
    paths = {name: folder / f"{name}.py" for name in files}
    return {name: analysis.lint(Source.decode(name, path.read_bytes()), path) for name, path in paths.items()}


MASK = "import mlx.core as mx\ndef mask(x: mx.array):\n    return x > 0\n"
USE = "import mlx.core as mx\n{}\ny = {}(mx.zeros((3,)))[0]\n"


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("from helpers import mask", "mask"),
        ("from helpers import mask as m", "m"),
        ("import helpers", "helpers.mask"),
        ("import helpers as h", "h.mask"),
        ("from helpers import *", "mask"),
        ("from helpers import (\n    mask,\n)", "mask"),
        ("try:\n    from helpers import mask\nexcept ImportError:\n    pass", "mask"),
    ],
)
def test_functions_of_the_file_beside_are_known(tmp_path: Path, statement: str, name: str) -> None:
    assert len(project(tmp_path, {"helpers": MASK, "main": USE.format(statement, name)})["main"]) == 1


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("from .helpers import mask", "mask"),
        ("from . import helpers", "helpers.mask"),
        ("from pkg.helpers import mask", "mask"),
        ("import pkg.helpers", "pkg.helpers.mask"),
        ("from . import mask", "mask"),
        ("from .sub.deep import mask", "mask"),
        ("from pkg import *", "mask"),
    ],
)
def test_packages_are_followed(tmp_path: Path, statement: str, name: str) -> None:
    files = {
        "pkg/__init__": "from .helpers import mask\n",
        "pkg/helpers": MASK,
        "pkg/sub/__init__": "",
        "pkg/sub/deep": "from ..helpers import mask\n",
        "pkg/main": USE.format(statement, name),
    }
    assert len(project(tmp_path, files)["pkg/main"]) == 1


def test_importing_in_a_circle_ends(tmp_path: Path) -> None:
    found = project(
        tmp_path, {"a": "import b\n" + MASK, "b": "import a\nimport mlx.core as mx\ny = a.mask(mx.zeros((3,)))[0]\n"}
    )
    assert found["a"] == []
    assert len(found["b"]) <= 1


def test_what_a_function_is_given_elsewhere_is_known_where_it_stands(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        {
            "helpers": "def first(x):\n    return x[0]\n",
            "main": "import mlx.core as mx\nfrom helpers import first\nfirst(mx.zeros((3,)) > 0)\n",
        },
    )
    assert len(found["helpers"]) == 1


SHARED = {
    "box": "class Box:\n    def __init__(self, it):\n        self.held = it\n    def get(me):\n      return me.held\n",
    "fills": "import mlx.core as mx\nfrom box import Box\nx = Box(mx.zeros((3,)) > 0).held[0]\n",
    "takes": "from box import Box\ndef first(box: Box):\n    return box.held[0], box.get()[0]\n",
    "loop": "import knot\nimport mlx.core as mx\nmade = mx.zeros((3,)) > 0\ndef tied():\n    return knot.tie()\n",
    "knot": "from loop import made\ndef tie():\n    return made\nx = made[0]\n",
    "uses": "from knot import tie\nfrom loop import tied\nx = tie()[0]\ny = tied()[0]\n",
}


KNOT = {
    "left": "import mlx.core as mx\nfrom right import y\nmade = mx.zeros((3,)) > 0\nother = y\n",
    "right": "from left import made\ny = made\n",
    "by_left": "from left import other\nfrom right import y\na = other[0]\nb = y[0]\n",
    "by_right": "from right import y\nfrom left import other\na = other[0]\nb = y[0]\n",
    "after_left": "import left, right\na = left.other[0]\nb = right.y[0]\n",
}


@pytest.mark.parametrize(
    ("files", "with_findings"), [(SHARED, {"fills", "knot", "uses"}), (KNOT, {"by_right"})], ids=["shared", "knot"]
)
def test_the_order_of_the_files_does_not_matter(tmp_path: Path, files: dict[str, str], with_findings: set[str]) -> None:
    def found(order: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
        ordered = {name: files[name] for name in order}
        return {name: [f.offsets for f in all_] for name, all_ in project(tmp_path, ordered).items()}

    for name in files:
        project(tmp_path, {name: files[name]})  # all are on disk before the first is linted
    alone = {name: found([name])[name] for name in files}
    assert {name for name in files if alone[name]} == with_findings
    assert all(found(order) == alone for order in itertools.islice(itertools.permutations(files), 0, None, 29))


def test_of_those_that_import_a_module_only_what_calls_it_is_run(tmp_path: Path) -> None:
    caller = (
        "import mlx.core as mx\nfrom helpers import first\n"
        "def outer(x):\n    return inner(x > 0)\ndef inner(y):\n    return first(y)\n"
        "def beside():\n    return outer(mx.zeros((3,)))\ndef unrelated(x):\n    return x[0]\n"
    )
    found = project(tmp_path, {"helpers": "def first(x):\n    return x[0]\n", "main": caller})
    assert [f.start.row for f in found["helpers"]] == [3]


def test_what_is_called_far_away_is_followed_no_more_when_much_of_it_was_run(tmp_path: Path) -> None:
    far = (
        "import mlx.core as mx\nfrom deep import deep\n"
        "def near(): return mx.zeros((3,)) > 0\n"
        "def before(): return deep(1)\ndef after(): return deep(2)\n"
        "def busy():\n" + "    a = 1\n" * (MAX_AWAY + 1)
    )
    main = (
        "from far import after, before, busy, near\ndef own(): return near()\n"
        "a = before()[0]\nbusy()\nb = after()[0]\nc = own()[0]\nd = near()[0]\n"
    )
    deep = "import mlx.core as mx\ndef deep(n): return mx.zeros((3,)) > n\n"
    found = project(tmp_path, {"deep": deep, "far": far, "main": main})
    assert [f.start.row for f in found["main"]] == [4, 7, 8]


def test_other_packages_of_the_environment_are_not_read(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    main = USE.format("from other import mask", "mask")
    found = project(site, {"other/__init__": MASK, "mine/__init__": "", "mine/main": main})
    assert found["mine/main"] == []


def test_a_changed_text_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("mark(1)\n")
    analysis = Analysis([Marked()])
    assert len(analysis.lint(Source("x.py", "mark(1)\n"), path)) == 1
    assert len(analysis.lint(Source("x.py", "mark(1)\nmark(2)\n"), path)) == 2
    assert len(analysis.lint(Source("x.py", "pass\n"), path)) == 0
