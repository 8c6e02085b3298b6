"""What the documentation says is so."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from mlxlint.config import KEYS, Layer
from mlxlint.dev import docs
from mlxlint.registry import rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\b[^\n]*\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, (list, dict)):
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(entry)


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    generated = set(docs.pages())
    for link in re.findall(r"\]\(([^)#:\s]+)[^):]*\)", page.read_text(encoding="utf-8")):
        target = (page.parent / link).resolve()
        assert target.exists() or target.relative_to(ROOT / "docs").as_posix() in generated, link


@every_page
def test_configuration_shown_is_valid(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8"), "toml"):
        Layer.parse("example", "/", tomllib.loads(block).get("tool", {}).get("mlxlint", {}))


def test_navigation_names_pages_that_are_there() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    missing = [page for page in leaves(nav) if page not in docs.pages() and not (ROOT / "docs" / page).exists()]
    assert not missing


def test_every_rule_has_a_page_and_a_line_in_the_index() -> None:
    pages = docs.pages()
    for rule in rules().values():
        assert rule.documentation() in pages[f"rules/{rule.name}.md"]
        assert f"[{rule.name}]({rule.name}.md)" in pages["rules/index.md"]


def test_every_setting_is_described() -> None:
    assert re.findall(r"^## (.+)$", docs.settings(), flags=re.MULTILINE) == list(KEYS)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=lambda page: page.name)
def test_findings_shown_are_those_printed(page: Path) -> None:
    command = [sys.executable, "-m", "mlxlint", "check", "--no-cache", "--isolated", "examples/port"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout.splitlines()
    shown = blocks(page.read_text(encoding="utf-8"), "text")[0].splitlines()
    assert {line for line in shown if not line.startswith("$ ")} <= set(printed)
