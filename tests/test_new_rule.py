"""The scaffold writes a rule that works, and leaves one thing to do that cannot be forgotten."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT
from marks import FixtureFile
from test_rules import code_in, places, sections

from mlxlint.dev.__main__ import main
from mlxlint.dev.new_rule import families, free_code
from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Rule
from mlxlint.source import Source


def written(root: Path) -> tuple[Rule, FixtureFile]:
    done = CliRunner().invoke(main, ["new-rule", "summed-strings", "--family", "api", "--root", str(root)])
    assert done.exit_code == 0, done.output
    module_path = root / "rules" / "api" / "summed_strings.py"
    spec = importlib.util.spec_from_file_location("pack.api.summed_strings", module_path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SummedStrings(), FixtureFile(root / "fixtures" / "api" / "summed_strings.py")


def test_scaffold_detects_what_its_fixture_and_example_show(tmp_path: Path) -> None:
    rule, fixture = written(tmp_path)
    analysis = Analysis([rule])
    assert places(analysis.lint(Source("fixture.py", fixture.text))) == fixture.marked("error")
    assert len(analysis.lint(Source("example.py", code_in(sections(rule)["Example"])))) == 1
    assert not analysis.lint(Source("instead.py", code_in(sections(rule)["Use instead"])))
    assert rule.code == free_code("4")
    assert rule.code not in rules()


def test_scaffold_lacks_its_reference(tmp_path: Path) -> None:
    rule, _ = written(tmp_path)
    assert "https://" not in sections(rule)["References"]


def test_scaffold_runs_on_mlx(tmp_path: Path) -> None:
    pytest.importorskip("mlx.core")
    rule, _ = written(tmp_path)
    assert rule.repro is not None
    evidence = rule.repro()
    assert evidence.hazard.holds
    assert evidence.remedy.holds


@pytest.mark.parametrize("name", ["boolean-mask-read", "Summed-Strings", "summed", "summed_strings"])
def test_name_that_cannot_be_given(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["new-rule", name, "--family", "api", "--root", str(tmp_path)])
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert not list(tmp_path.iterdir())


def test_every_folder_of_rules_is_a_family() -> None:
    assert set(families()) == {path.parent.name for path in ROOT.glob("rules/*/__init__.py")}
