"""What holds for every rule, checked without a line of code per rule. CONTRIBUTING.md describes the fixtures."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest
import reshape
from conftest import Lint
from marks import FIXTURES, FixtureFile, fixture_files

from mlxlint.registry import rules
from mlxlint.rule import Applicability, Evidence, Finding, Fix, Fixable, Kind, Rule, Skipped

RULES = list(rules().values())
HAZARDS = [rule for rule in RULES if rule.kind is not Kind.TOOL]
FILES = list(fixture_files())
FEWEST_FLAGGED = 3
MOST_PASSES = 10
RUNNABLE = {"__future__", "functools", "math", "mlx", "numpy", "time"}  # what examples may import to be run here

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
every_hazard = pytest.mark.parametrize("rule", HAZARDS, ids=lambda rule: rule.name)
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.relative_to(FIXTURES).as_posix())


def names(findings: list[Finding]) -> Counter[str]:
    return Counter(finding.name for finding in findings)


def places(findings: list[Finding]) -> Counter[tuple[int, str]]:
    return Counter((finding.start.row, finding.name) for finding in findings)


def crashes(findings: list[Finding]) -> list[str]:
    return [finding.message for finding in findings if finding.name == "internal-error"]


def fixture_of(rule: Rule) -> Path:
    family, module = type(rule).__module__.split(".")[-2:]
    return FIXTURES / family / module


# Names


@every_rule
def test_name_is_the_modules(rule: Rule) -> None:
    module = type(rule).__module__.rpartition(".")[2]
    assert rule.name == module.replace("_", "-")
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", rule.name)


@every_rule
def test_code_belongs_to_the_family(rule: Rule) -> None:
    family = importlib.import_module(type(rule).__module__.rpartition(".")[0])
    assert re.fullmatch(r"MLX\d{3}", rule.code)
    assert (family.__doc__ or "").startswith(f"{rule.code[:4]}xx: ")


@every_rule
def test_message_is_a_sentence_about_code(rule: Rule) -> None:
    assert rule.message
    assert not rule.message.endswith(".")
    assert rule.code not in rule.message


# Documentation


def sections(rule: Rule) -> dict[str, str]:
    """Heading -> text of a rule's docstring."""
    _, *parts = re.split(r"^## (.+)\n", rule.documentation(), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2]))


def code_in(section: str) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, "one block of Python"
    return str(blocks[0])


@every_rule
def test_docstring_has_its_sections_in_order(rule: Rule) -> None:
    headings = ["What it does", "PyTorch and MLX", "Example", "Use instead", "Fix safety", "References"]
    if rule.fixable is Fixable.NEVER:
        headings.remove("Fix safety")
    if rule.kind is Kind.TOOL and "Example" not in sections(rule):
        headings.remove("Example")
    assert list(sections(rule)) == headings
    assert re.match(r"[A-Z`][^\n]+\n\n## ", rule.documentation()), "one line, then the sections"
    assert re.search(r"\]\(https://[^)\s]+\)", sections(rule)["References"]), "a reference has a link"


@every_hazard
def test_example_triggers_exactly_this_rule(rule: Rule, lint: Lint) -> None:
    assert set(names(lint(code_in(sections(rule)["Example"])))) == {rule.name}


@every_hazard
def test_use_instead_triggers_nothing(rule: Rule, lint: Lint) -> None:
    text = code_in(sections(rule)["Use instead"])
    ast.parse(text)
    assert not names(lint(text))


@every_hazard
def test_use_instead_runs(rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlx.core")
    monkeypatch.chdir(tmp_path)
    text = code_in(sections(rule)["Use instead"])
    imported = {name.partition(".")[0] for name in re.findall(r"^(?:import|from) ([\w.]+)", text, flags=re.MULTILINE)}
    if imported - RUNNABLE:
        pytest.skip(f"imports {', '.join(sorted(imported - RUNNABLE))}")
    try:
        exec(compile(text, rule.name, "exec"), {"__name__": "__main__"})
    except (NameError, FileNotFoundError) as error:
        pytest.skip(f"is a part of a program: {error}")


# Fixtures


def test_every_fixture_has_its_rule() -> None:
    expected = {fixture_of(rule).relative_to(FIXTURES) for rule in RULES}
    present = {path.relative_to(FIXTURES).with_suffix("") for path in FIXTURES.glob("*/[a-z]*")}
    assert not present - expected


@every_hazard
def test_fixture_shows_look_alikes_then_flagged_forms(rule: Rule) -> None:
    files = list(fixture_files(fixture_of(rule)))
    flagged = [row for file in files for row, name in file.marked("error").elements() if name == rule.name]
    assert len(flagged) >= FEWEST_FLAGGED
    assert sum(file.look_alikes() for file in files) > len(flagged), "look-alikes outnumber the flagged forms"


@every_file
def test_fixture_marks_come_below_the_look_alikes(file: FixtureFile) -> None:
    rows = [row for row, _ in file.marked("error")]
    assert not rows or min(rows) > (file.flagged_row or min(rows))


@every_file
def test_fixture_is_reported_as_marked(file: FixtureFile, lint: Lint) -> None:
    findings = lint(file.text, file.path)
    found, missed = places(findings), file.marked("todo-error")
    assert not found & missed, "found by now: make these marks `# error`"
    assert not file.marked("todo-ok") - found, "silent by now: take these `# todo-ok` marks away"
    expected = file.marked("error") + file.marked("todo-ok")
    assert not found - expected, ["reported on a line without a mark", *crashes(findings)]
    assert not expected - found, "marked, and not reported"


# Other shapes of the same code


def in_shapes(*shapes: type) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shape", shapes, ids=lambda shape: shape.__name__)


@in_shapes(reshape.Aliased, reshape.Parenthesized, reshape.Concatenated)
@every_file
def test_sees_through_spelling(file: FixtureFile, shape: type, lint: Lint) -> None:
    text = reshape.reshaped(file.text, shape)
    ast.parse(text)
    assert places(lint(text, file.path)) == places(lint(file.text, file.path))


@in_shapes(reshape.Joined, reshape.OneLine)
@every_file
def test_sees_through_line_breaks(file: FixtureFile, shape: type, lint: Lint) -> None:
    text = reshape.reshaped(file.text, shape)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(file.text))
    before, after = (names(lint(code, file.path)) for code in (file.text, text))
    for rule in RULES:
        if rule.yields_to:  # which may happen by line
            del before[rule.name], after[rule.name]
    assert after == before


@in_shapes(reshape.Unpacked, reshape.Opaque, reshape.Decorated, reshape.Bare)
@every_file
def test_survives(file: FixtureFile, shape: type, lint: Lint) -> None:
    text = reshape.reshaped(file.text, shape)
    ast.parse(text)
    assert not crashes(lint(text, file.path))


# Fixes


def applicable(findings: list[Finding], rule: Rule) -> list[Fix]:
    fixes = [finding.fix for finding in findings if finding.name == rule.name and finding.fix]
    return [fix for fix in fixes if fix.applicability is not Applicability.MANUAL]


def applied(text: str, fixes: list[Fix]) -> str:
    """The text with every fix that touches nothing touched by one before it."""
    taken = -1
    edits = []
    for fix in sorted(fixes, key=lambda fix: fix.edits[0].start):
        if fix.edits[0].start > taken:
            edits += fix.edits
            taken = max(edit.end for edit in fix.edits)
    for edit in sorted(set(edits), key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.content + text[edit.end :]
    return text


def comments(text: str) -> Counter[str]:
    return Counter(t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT)


@every_hazard
def test_fixes_are_as_declared(rule: Rule, lint: Lint) -> None:
    findings = [
        finding
        for file in fixture_files(fixture_of(rule))
        for finding in lint(file.text, file.path)
        if finding.name == rule.name
    ]
    fixed = len(applicable(findings, rule))
    shown = Fixable.NEVER if not fixed else Fixable.ALWAYS if fixed == len(findings) else Fixable.SOMETIMES
    assert rule.fixable is shown


@pytest.mark.parametrize("rule", [r for r in HAZARDS if r.fixable is not Fixable.NEVER], ids=lambda rule: rule.name)
def test_fixes_converge_and_keep_comments(rule: Rule, lint: Lint) -> None:
    for file in fixture_files(fixture_of(rule)):
        text = file.text
        for _ in range(MOST_PASSES):
            fixes = applicable(lint(text, file.path), rule)
            if not fixes:
                break
            text = applied(text, fixes)
            ast.parse(text)
        assert not applicable(lint(text, file.path), rule), "still fixable"
        assert not comments(file.text) - comments(text), "comments lost"


# Reproductions


@every_hazard
def test_reproduction_can_be_called_with_nothing(rule: Rule) -> None:
    assert rule.repro is not None
    signature = inspect.signature(rule.repro)
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty
        assert parameter.default is not parameter.empty
    assert signature.return_annotation in ("Evidence", Evidence)


@every_hazard
def test_reproduction_holds(rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlx.core")
    monkeypatch.chdir(tmp_path)
    assert rule.repro is not None
    try:
        evidence = rule.repro()
    except Skipped as reason:
        pytest.skip(str(reason))
    assert evidence.hazard.holds, evidence.hazard.text
    assert evidence.remedy.holds, evidence.remedy.text
