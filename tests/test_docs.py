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
from mlxlint.evidence import Run, Seen, recorded
from mlxlint.registry import by_name, rules
from mlxlint.verify.local_model import CHECKS as MODEL_CHECKS
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

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


def test_facts_are_shown_by_rules_and_checks_that_are_there() -> None:
    text = (ROOT / "docs" / "facts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| (.+) \|$", text, flags=re.MULTILINE)
    checks = MLX_CHECKS.keys() | LM_CHECKS.keys()
    for row in rows[2:]:  # below the heads
        linked = re.findall(r"\[([\w-]+)\]\(rules/([\w-]+)\.md\)|\[([\w-]+)\]\(evidence\.md#([\w-]+)\)", row)
        on_models = re.findall(r"`([\w-]+)`", row)
        assert linked or on_models, row
        for rule, page, check, place in linked:
            assert rule == page
            assert check == place
            assert rule in by_name() or check in checks, row
        assert set(on_models) <= MODEL_CHECKS.keys(), row


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
