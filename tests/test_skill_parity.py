"""Every line of the page on what a skill for MLX should do leads to something that is there and runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_probe import make_tiny_model

from mlxlint.dev import docs
from mlxlint.registry import by_name
from mlxlint.verify import Place
from mlxlint.verify.local_model import CHECKS as MODEL_CHECKS
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS
from mlxlint.verify.probe import probe

PAGE = (ROOT / "docs" / "skill-parity.md").read_text(encoding="utf-8")
ROWS = [
    (what, where)
    for what, where in re.findall(r"^\| (.+) \| (.*) \|$", PAGE, flags=re.MULTILINE)
    if (what, where) not in (("what", "where"), ("---", "---"))
]
LINKS = {(text, link) for _, where in ROWS for text, link in re.findall(r"\[([^]]+)\]\(([^)]+)\)", where)}
CODE = {code for _, where in ROWS for code in re.findall(r"`([^`]+)`", where)}
COMMANDS = sorted(code for code in CODE if code.startswith("mlxlint "))


@pytest.mark.parametrize(("what", "where"), ROWS)
def test_each_line_leads_somewhere(what: str, where: str) -> None:
    assert re.search(r"\]\(|`", where), what


def test_links_lead_to_rules_checks_and_pages() -> None:
    pages = docs.pages().keys() | {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    for text, link in LINKS:
        page, _, place = link.partition("#")
        assert page in pages, link
        if page.startswith("rules/") and page != "rules/index.md":
            assert page == f"rules/{text}.md"
            assert text in by_name()
        if page == "evidence.md" and place:
            assert text == place
            assert text in MLX_CHECKS.keys() | LM_CHECKS.keys()


def test_every_check_of_the_surface_and_of_models_is_on_the_page() -> None:
    named = {text for text, _ in LINKS} | CODE
    assert MLX_CHECKS.keys() | LM_CHECKS.keys() <= named
    assert MODEL_CHECKS.keys() <= named


def test_rules_and_checks_named_show_what_is_on_record(tmp_path: Path) -> None:
    pytest.importorskip("mlx.core")
    pytest.importorskip("mlx_lm")
    names = sorted({text for text, link in LINKS if link.startswith(("rules/", "evidence.md#"))} - {"Rules"})
    keys = [by_name()[name].code if name in by_name() else name for name in names]
    model = str(make_tiny_model(tmp_path))
    report = probe(model=model, place=Place("cpu"), select=[*keys, "model-"])
    seen = {outcome.key: outcome for outcome in report.outcomes}
    assert {*keys, *MODEL_CHECKS} <= seen.keys()
    for outcome in report.outcomes:
        assert not outcome.deviates, outcome


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # nothing outside is asked by tests
    words = shlex.split(command)
    if words[1] in ("probe", "rule"):
        pytest.importorskip("mlx_lm")
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, timeout=300, encoding="utf-8"
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout


def test_each_command_is_on_the_page() -> None:
    assert {"audit", "check", "probe", "releases", "rule"} == {command.split()[1] for command in COMMANDS} - {"skill"}
