from __future__ import annotations

import ast

import pytest

from mlxlint import registry
from mlxlint.config import Configuration
from mlxlint.rule import Finding
from mlxlint.run import Checker, Task
from mlxlint.source import Source
from mlxlint.suppress import add_ignores, suppressions, tool_finding

HEAD = "import mlx.core as mx\nx = mx.array([0.5, -1.0])\n"


def check(text: str, **options: list[str]) -> list[Finding]:
    """The findings in a text, with all rules or those selected."""
    settings = Configuration(options, isolated=True).default
    found = Checker().check(Task(None, "t.py", text.encode(), settings)).findings
    return sorted(found, key=lambda finding: finding.sort_key)


def found(text: str, **options: list[str]) -> list[str]:
    """What is found below the head, as ``row name``."""
    return [f"{finding.start.row - 2} {finding.name}" for finding in check(HEAD + text, **options)]


def fixed(text: str) -> str:
    """The text after one fix at a time until none is left."""
    while fixes := [finding.fix for finding in check(HEAD + text) if finding.fix and finding.code < "MLX100"]:
        source = HEAD + text
        for edit in reversed(fixes[0].edits):
            source = source[: edit.start] + edit.content + source[edit.end :]
        text = source[len(HEAD) :]
    return text


READ = "y = x[x > 0]"
MASK = "boolean-mask-read"


@pytest.mark.parametrize(
    "text",
    [
        f"{READ}  # mlxlint: ignore",
        f"{READ}  # mlxlint: ignore[{MASK}]",
        f"{READ}  # mlxlint: ignore[MLX101] masks are small here",
        f"{READ}  # MLXLINT: IGNORE[mlx101]".replace("MLXLINT", "mlxlint"),
        f"{READ}  #mlxlint:ignore[ MLX101 ]",
        f"{READ}  # type: ignore  # mlxlint: ignore[MLX101]",
        f"# mlxlint: ignore[{MASK}]\n{READ}",
        f"# mlxlint: ignore[{MASK}]\n# another comment\n{READ}",
        f"if x.ndim:\n    # mlxlint: ignore[{MASK}]\n    {READ}",
        "y = [\n    x[x > 0],\n]  # mlxlint: ignore[MLX101]",
        "y = [  # mlxlint: ignore[MLX101]\n    x[x > 0],\n]",
        "y = [\n    # mlxlint: ignore[MLX101]\n    x[x > 0],\n]",
        "# mlxlint: ignore[MLX101]\ny = [\n    x[x > 0],\n]",
        "y = 1 + \\\n    x[x > 0]  # mlxlint: ignore[MLX101]",
        "y = x[x > 0], '''\n'''  # mlxlint: ignore[MLX101]",
        "if (\n    x[x > 0]\n).any():  # mlxlint: ignore[MLX101]\n    pass",
        f"{READ}  # noqa",
        f"{READ}  # NOQA",
        f"{READ}  # noqa: MLX101",
        f"{READ}  # noqa:E501,MLX101",
        f"{READ}  # noqa: E501 MLX101 because",
        f"{READ}  # noqa: because",
        f"{READ}\n# mlxlint: file-ignore[{MASK}]",
        f"{READ}\n# mlxlint: file-ignore",
        f"# mlxlint: disable[{MASK}]\n{READ}",
        f"# mlxlint: disable[{MASK}]\n\n{READ}\n# mlxlint: enable[{MASK}]",
        f"# mlxlint: disable\n{READ}\n# mlxlint: enable",
        f"{READ}  # mlxlint: disable[{MASK}]\n# mlxlint: enable",
    ],
)
def test_suppressed(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f's = "# mlxlint: ignore"; {READ}', [f"1 {MASK}"]),
        (f'"""\n# mlxlint: file-ignore\n"""\n{READ}', [f"4 {MASK}"]),
        (f"{READ}  # noqa: E501", [f"1 {MASK}"]),
        (f"# noqa\n{READ}", [f"2 {MASK}"]),
        (f"# mlxlint: ignore[{MASK}]\n\n{READ}", ["1 unused-suppression", f"3 {MASK}"]),
        (f"{READ}  # mlxlint: ignore[unused-suppression]", [f"1 {MASK}"]),
        (f"{READ}  # mlxlint: ignore[]", [f"1 {MASK}", "1 unused-suppression"]),
        (f"# mlxlint: disable[{MASK}]\n{READ}\n# mlxlint: enable[{MASK}]\n{READ}", [f"4 {MASK}"]),
        (f"# mlxlint: disable\n{READ}\n# mlxlint: enable[{MASK}]\n{READ}", [f"4 {MASK}"]),
        (f"{READ}\n# mlxlint: disable[{MASK}]", [f"1 {MASK}", "2 unused-suppression"]),
    ],
)
def test_not_suppressed(text: str, expected: list[str]) -> None:
    assert found(text) == expected


# Useless suppressions


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("y = 1  # mlxlint: ignore\n", "y = 1\n"),
        ("y = 1  # mlxlint: ignore[MLX101] reason #12\n", "y = 1\n"),
        ("y = 1  # mlxlint: ignore[MLX101]  # type: ignore\n", "y = 1  # type: ignore\n"),
        ("y = 1  # type: ignore  # mlxlint: ignore[MLX101]\n", "y = 1  # type: ignore\n"),
        (f"{READ}  # mlxlint: ignore[MLX101, MLX001] why\n", f"{READ}  # mlxlint: ignore[MLX101] why\n"),
        ("# mlxlint: ignore[MLX101]\ny = 1\n", "y = 1\n"),
        ("if y:\n    # mlxlint: ignore[MLX101]\n    y = 1", "if y:\n    y = 1"),
        ("y = 1\r\n# mlxlint: file-ignore[MLX101]\r\nz = 1\r\n", "y = 1\r\nz = 1\r\n"),
        ("# mlxlint: disable[MLX101]\ny = 1\n# mlxlint: enable[MLX101]\n", "y = 1\n"),
        ("y = 1  # noqa: E501, MLX101\n", "y = 1  # noqa: E501\n"),
        ("y = 1  # noqa: MLX101\n", "y = 1\n"),
        (f"{READ}  # mlxlint: ignore[MLX101, nosuch]\n", f"{READ}  # mlxlint: ignore[MLX101]\n"),
        (f"{READ}  # noqa: MLX101,MLX999\n", f"{READ}  # noqa: MLX101\n"),
        (f"{READ}  # noqa: MLX101\n# mlxlint: file-ignore[MLX101]\n", f"{READ}  # noqa: MLX101\n"),
    ],
)
def test_useless_ones_are_reported_and_removed(text: str, after: str) -> None:
    assert fixed(text) == after
    assert found(after) == []


@pytest.mark.parametrize(
    "text",
    [
        "y = 1  # noqa",
        "y = 1  # noqa: E501",
        "y = 1  # noqa: because of MLX101",
        "y = 1  # mlxlint: see the manual",
        "y = 1  # write `# mlxlint: ignore[nosuch]` here",
        "y = 1  # mlxlint: ignore[MLX101, unused-suppression]",
        "# mlxlint: file-ignore[unknown-suppression]\ny = 1  # mlxlint: ignore[nosuch]",
    ],
)
def test_tolerated(text: str) -> None:
    assert found(text) == []


def test_messages_name_what_is_useless() -> None:
    messages = [finding.message for finding in check("y = 1  # mlxlint: ignore[MLX101, bolean-mask-read]\n")]
    assert messages == [
        "unused suppression: `MLX101`",
        "suppression with an unknown rule: `bolean-mask-read` (did you mean `boolean-mask-read`?)",
    ]


def test_a_misspelt_directive() -> None:
    (finding,) = check(f"y = 1  # mlxlint: ingore[{MASK}]")
    assert finding.message == "suppression with an unknown directive: `ingore` (did you mean `ignore`?)"
    assert finding.fix is None


def test_only_rules_that_were_looked_for_can_be_unused() -> None:
    text = "y = 1  # mlxlint: ignore[MLX101]\nz = 1  # mlxlint: ignore"
    assert found(text, ignore=["MLX101"]) == []
    assert found(text, select=["MLX0"]) == []
    assert found(text, select=["MLX101", "MLX003"]) == ["1 unused-suppression"]
    assert found(text, select=["MLX101"]) == []


def test_nothing_is_unused_in_a_file_that_does_not_parse() -> None:
    assert [f.code for f in check("y = 1  # mlxlint: ignore[MLX101]\n(")] == ["MLX001"]


def test_a_finding_stands_at_its_directive() -> None:
    (finding,) = check("y = 1  # hm  # mlxlint: ignore[MLX101] why\n")
    assert (finding.start.row, finding.start.column, finding.end.column) == (1, 14, 43)


# Writing them


def ignored(text: str) -> str:
    source = Source("t.py", text)
    findings = [finding for finding in check(text) if finding.name == MASK]
    assert findings
    return add_ignores(source, findings)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (READ, f"{READ}  # mlxlint: ignore[{MASK}]"),
        (f"{READ}  # why \n", f"{READ}  # why  # mlxlint: ignore[{MASK}]\n"),
        (f"{READ}; {READ}\r\n", f"{READ}; {READ}  # mlxlint: ignore[{MASK}]\r\n"),
        (f"{READ}  # mlxlint: ignore[MLX001] why\n", f"{READ}  # mlxlint: ignore[MLX001, {MASK}] why\n"),
        ("if 1:\n\ty = (\n\t x[x > 0])\n", f"if 1:\n\t# mlxlint: ignore[{MASK}]\n\ty = (\n\t x[x > 0])\n"),
        ("y = 1 + \\\r\n  x[x > 0]\r\n", f"# mlxlint: ignore[{MASK}]\r\ny = 1 + \\\r\n  x[x > 0]\r\n"),
        ("y = '''\n''', x[x > 0]", f"# mlxlint: ignore[{MASK}]\ny = '''\n''', x[x > 0]"),
        ("y = f'''\n{x[x > 0]}\n'''\n", f"# mlxlint: ignore[{MASK}]\ny = f'''\n{{x[x > 0]}}\n'''\n"),
        ("if (\n  x[x > 0]\n).any():\n  pass\n", f"# mlxlint: ignore[{MASK}]\nif (\n  x[x > 0]\n).any():\n  pass\n"),
        (f"if 0:\n  y = 0\nelif x.ndim: {READ}\n", f"if 0:\n  y = 0\nelif x.ndim: {READ}  # mlxlint: ignore[{MASK}]\n"),
    ],
)
def test_add_ignores(text: str, after: str) -> None:
    head = HEAD.replace("\n", "\r\n" if "\r\n" in text else "\n")
    written = ignored(head + text)
    assert written == head + after
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(head + text))
    assert MASK not in [finding.name for finding in check(written)]


def test_a_tool_finding_is_filled_in_from_its_rule() -> None:
    finding = tool_finding("syntax-error", Source("t.py", "a\nbc"), (2, 4), {"reason": "so"})
    rule = registry.rules()["MLX001"]
    assert (finding.code, finding.message, finding.severity, finding.url) == ("MLX001", "so", rule.severity, rule.url())
    assert (finding.start.row, finding.start.column, finding.end.column) == (2, 1, 3)


def test_no_comment_is_read_where_none_can_be() -> None:
    assert suppressions(Source("t.py", HEAD)) == []
    assert suppressions(Source("t.py", "x = (  # mlxlint: ignore\n"))[0].row == 1
