"""Every line of the page on what a skill for MLX should do leads to something that is there and runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

from mlxlint.dev import docs
from mlxlint.registry import by_name
from mlxlint.verify.local_model import CHECKS as MODEL_CHECKS
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

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


def test_what_is_named_is_run() -> None:
    """The tests of rules run every reproduction, those of the probe every check, of models too; here: each has one."""
    for text, link in LINKS:
        if link == f"rules/{text}.md":
            assert by_name()[text].repro is not None, text


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
