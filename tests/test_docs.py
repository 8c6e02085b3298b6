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
from mlxlint.dev.evidence_tables import device_differences, releases, spans
from mlxlint.evidence import Run, Seen, by_release, order, package_of, recorded
from mlxlint.registry import by_name, rules
from mlxlint.verify.local_model import CHECKS as MODEL_CHECKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RUNS = sorted({run for entries in recorded().values() for run in entries}, key=order)
NEWEST = {"mlx": RUNS[-1].mlx, "mlx-lm": [run.mlx_lm for run in RUNS if run.mlx_lm is not None][-1]}
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


def printed(*options: str) -> set[str]:
    command = [sys.executable, "-m", "mlxlint", "check", "--no-cache", "--isolated", *options, "examples/port"]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120).stdout.splitlines())


def shown(page: Path, index: int) -> set[str]:
    """The lines of one of a page's excerpts."""
    lines = blocks(page.read_text(encoding="utf-8"), "text")[index].splitlines()
    return {line for line in lines if not line.startswith("$ ")}


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=lambda page: page.name)
def test_findings_shown_are_those_printed(page: Path) -> None:
    assert shown(page, 0) <= printed()


def test_verified_finding_shown_is_one_printed() -> None:
    pytest.importorskip("mlx.core")
    installed = re.compile(r"confirmed on \w+, MLX [\d.]+")
    lines = {installed.sub("confirmed", line) for line in printed("--verify", "--select", "MLX102")}
    assert {installed.sub("confirmed", line) for line in shown(ROOT / "README.md", 1)} <= lines


def test_readme_counts_the_rules() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text == docs.readme(text), "run `python -m mlxlint.dev.docs`"


def facts() -> dict[str, tuple[str, str]]:
    """Each statement of the page of facts, with its verdict and with what shows it."""
    text = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*) \| (.*) \| (.+) \|$", text, flags=re.MULTILINE)
    return {statement: (verdict, shown_by) for statement, verdict, shown_by in rows[1:] if set(statement) != {"-"}}


each_fact = pytest.mark.parametrize("statement", facts())


@each_fact
def test_facts_have_a_verdict_and_something_that_shows_it(statement: str) -> None:
    verdict, shown_by = facts()[statement]
    assert re.match(r"(holds|partly|no longer|the default is on)\b", verdict)
    linked = re.findall(r"\[([\w-]+)\]\((rules/|evidence\.md#)([\w-]+)(?:\.md)?\)", shown_by)
    on_models = re.findall(r"`([\w-]+)`", shown_by)
    assert linked or on_models
    assert shown_by.count("](") == len(linked)
    assert all(name == place for name, _, place in linked)
    assert set(on_models) <= MODEL_CHECKS.keys()


@each_fact
def test_facts_hold_in_what_was_recorded_of_the_newest_releases(statement: str) -> None:
    """Those on local models are run by the tests of ``mlxlint probe``."""
    verdict, shown_by = facts()[statement]
    for place, name in re.findall(r"\]\((rules/|evidence\.md#)([\w-]+)", shown_by):
        key = by_name()[name].code if place == "rules/" else name
        newest, last = NEWEST[package_of(key)], list(by_release(key).items())[-1:]
        if not last and "Metal" in verdict:
            assert {seen.status for seen in recorded()[key].values()} == {"skipped"}
            continue
        assert [version for version, _ in last] == [newest], name
        assert {seen.status for seen in last[0][1]} == {"confirmed"}, name


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    assert {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")} <= set(leaves(nav))


def test_measurements_that_decisions_name_are_there() -> None:
    folder = ROOT / "docs" / "decisions"
    stated = re.search(r"^MEASUREMENTS = .* in \((.*)\)\}$", (folder / "measure.py").read_text(), flags=re.MULTILINE)
    named = {name for page in folder.glob("*.md") for name in re.findall(r"measure\.py\s+(\w+)", page.read_text())}
    assert stated is not None
    assert named == set(stated[1].split(", "))


def run_of(mlx: str, device: str = "cpu") -> Run:
    return Run(mlx, None, "Linux-x86_64", device)


def seen(status: str, text: str, *runs: Run) -> dict[Run, Seen]:
    return {run: Seen(run, status, text) for run in runs}


EVIDENCE = {
    **seen("refuted", "absent", run_of("0.30.0")),
    **seen("confirmed", "0.25 | there", run_of("0.9.1"), run_of("0.31.0"), run_of("0.32.0")),
    **seen("confirmed", "1.5 | there", run_of("0.32.0", "cuda")),
}


def test_evidence_is_told_in_ranges_of_releases() -> None:
    told = [(releases(span.releases), span.place, span.status) for span in spans(EVIDENCE, "mlx")]
    assert told == [
        ("0.9.1", "Linux x86_64, cpu", "confirmed"),
        ("0.30.0", "Linux x86_64, cpu", "refuted"),
        ("0.31.0 to 0.32.0 (2 releases)", "Linux x86_64, cpu", "confirmed"),
        ("0.32.0", "Linux x86_64, cuda", "confirmed"),
    ]
    assert spans(EVIDENCE, "mlx-lm") == []


def test_devices_differ_in_more_than_numbers() -> None:
    assert device_differences({"MLX101": EVIDENCE}) == []
    raised = EVIDENCE | seen("confirmed", "raised", run_of("0.32.0", "cuda"))
    ((key, version, both),) = device_differences({"MLX101": raised})
    assert (key, version, [one.text for one in both]) == ("MLX101", "0.32.0", ["0.25 | there", "raised"])


def test_every_recorded_status_is_on_the_rules_page() -> None:
    pages = docs.pages()
    for code, entries in recorded().items():
        rule = rules().get(code)
        if rule is not None:
            evidence = pages[f"rules/{rule.name}.md"].partition("## Evidence")[2].partition("## Reproduction")[0]
            assert all(f"| {one.status} |" in evidence for one in entries.values()), code
