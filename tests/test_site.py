"""The site: it builds without a warning, and what its pages show is what their commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from shown import commands, unknown_options

from mlxlint.dev import docs, walkthrough
from mlxlint.model import api
from mlxlint.releases.changes import known

WALKTHROUGHS = ("rule-packs.md", "tutorial.md")


@pytest.mark.slow
@pytest.mark.parametrize("name", WALKTHROUGHS)
def test_page_followed_by_copy_and_paste(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mlx.core", "mlx_lm", "torch", "setuptools", "pip"):
        pytest.importorskip(module)
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip's way to say that there is to be none
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    for name_set in [variable for variable in os.environ if variable.startswith(("PYTEST_", "COVERAGE_"))]:
        monkeypatch.delenv(name_set)
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    shown = walkthrough.settled(walkthrough.executed(page, tmp_path))
    assert shown == walkthrough.settled(page), f"run `python -m mlxlint.dev.walkthrough docs/{name}`"


def test_finished_files_of_the_tutorial_are_the_example() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    files = {
        block["title"]: block["body"] for block in walkthrough.BLOCK.finditer(page) if block["language"] == "python"
    }
    folder = ROOT / "examples" / "digits"
    assert files == {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}


def test_a_page_is_executed(tmp_path: Path) -> None:
    page = (
        '```python title="a/b.py"\nprint(3)\n```\n\n```console\n$ python a/b.py\n4\n$ echo two >&2; false\n```\n\n'
        "<!-- not run -->\n```console\n$ exit 3\nas it is\n```\n\n```text\n$ echo\n```\n"
    )
    shown = walkthrough.executed(page, tmp_path)
    assert shown == page.replace("\n4\n", "\n3\n").replace("two >&2; false\n", "two >&2; false\ntwo\n")


def test_what_varies_is_left_as_it_is(tmp_path: Path) -> None:
    page = "```console\n$ echo 'done (0.4 s)'\ndone (1.3 s)\n```\n"
    assert walkthrough.executed(page, tmp_path) == page


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_shown_have_their_options(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        assert not unknown_options(words), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_shown_is_valid(page: Path) -> None:
    for block in re.findall(r"^```yaml[^\n]*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        assert yaml.safe_load(block)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Found 1 error (0.4 s)", "Found 1 error (12.1 s)"),
        ("confirmed on cpu, MLX 0.32.4: 0.25", "confirmed on metal, MLX 0.33.0: 2.5e-01"),
        ("MLX-LM 0.32.2", "MLX-LM 0.33"),
    ],
)
def test_what_varies_between_machines_is_no_difference(one: str, other: str) -> None:
    assert walkthrough.settled(one) == walkthrough.settled(other)
    assert walkthrough.settled(one) != walkthrough.settled(one.replace("o", "0").replace("M", "N"))


def test_changes_are_told_of_every_release() -> None:
    for package in ("mlx", "mlx-lm"):
        text = docs.pages()[f"changes/{package}.md"]
        assert re.findall(r"^## (\S+) ", text, flags=re.MULTILINE) == known(package)[:0:-1]
        for before, after in pairwise(known(package)):
            section = text.partition(f"## {after} ")[2].partition("\n## ")[0]
            gone = api.definitions(package, before).keys() - api.definitions(package, after).keys()
            assert all(name in section or name.rpartition(".")[0] in gone for name in gone)


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    pages = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("index.html")}
    assert {page.removesuffix(".md").removesuffix("/index") for page in docs.pages()} <= pages
    tutorial = (tmp_path / "tutorial" / "index.html").read_text(encoding="utf-8")
    assert 'class="language-console highlight"' in tutorial  # what site.css goes by
    assert '<span class="gp">$ </span>mlxlint' in tutorial
