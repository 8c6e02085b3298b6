from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mlxlint import registry
from mlxlint.config import KEYS, ConfigError, Configuration, Globs, Settings, codes_of
from mlxlint.rule import Confidence, Severity

MASK = "MLX101"  # boolean-mask-read


def settings(folder: Path, options: dict[str, Any] | None = None, **how: Any) -> Settings:
    return Configuration(options, **how).settings(str(folder))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# Discovery


def test_the_nearest_file_holds_alone(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", 'fail-on = "info"\nmin-confidence = "certain"')
    inner = write(tmp_path / "a" / "pyproject.toml", '[tool.mlxlint]\nfail-on = "error"').parent
    (inner / "deep").mkdir()
    found = settings(inner / "deep")
    assert (found.fail_on, found.min_confidence, found.root) == (Severity.ERROR, Confidence.LIKELY, str(inner))


def test_a_pyproject_without_section_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", 'fail-on = "info"')
    inner = write(tmp_path / "a" / "pyproject.toml", '[project]\nname = "mlxlint-user"').parent
    assert settings(inner).fail_on is Severity.INFO


def test_a_broken_pyproject_that_does_not_mention_mlxlint_is_passed_over(tmp_path: Path) -> None:
    assert settings(write(tmp_path / "pyproject.toml", "[[[").parent).file is None


def test_precedence_within_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", '[tool.mlxlint]\nfail-on = "error"')
    assert settings(tmp_path).fail_on is Severity.ERROR
    write(tmp_path / "mlxlint.toml", 'fail-on = "warning"')
    assert settings(tmp_path).fail_on is Severity.WARNING
    write(tmp_path / ".mlxlint.toml", 'fail-on = "info"')
    assert settings(tmp_path).fail_on is Severity.INFO


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", 'fail-on = "info"')
    assert settings(tmp_path, {"fail-on": "error"}).fail_on is Severity.ERROR


def test_isolated_reads_no_file(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", "nonsense")
    assert settings(tmp_path, isolated=True).file is None


def test_a_named_file_holds_for_all_folders(tmp_path: Path) -> None:
    named = write(tmp_path / "named.toml", 'fail-on = "error"')
    write(tmp_path / "mlxlint.toml", 'fail-on = "info"')
    assert settings(tmp_path, config=str(named)).fail_on is Severity.ERROR


def test_extend_adds_a_layer_below(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", 'fail-on = "info"\nignore = ["MLX101"]\nmin-confidence = "certain"')
    inner = write(tmp_path / "a" / "mlxlint.toml", 'extend = "../base.toml"\nfail-on = "error"').parent
    found = settings(inner)
    assert (found.fail_on, found.min_confidence) == (Severity.ERROR, Confidence.CERTAIN)
    assert MASK not in found.codes


def test_extend_in_a_circle_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", 'extend = "other.toml"')
    write(tmp_path / "other.toml", 'extend = "mlxlint.toml"')
    with pytest.raises(ConfigError, match="leads back"):
        settings(tmp_path)


# Bad input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("selct = []", "unknown key `selct` (did you mean `select`?)"),
        ('select = ["boolean-mask-raed"]', "unknown rule `boolean-mask-raed` (did you mean `boolean-mask-read`?)"),
        ('ignore = ["MLX1010"]', "unknown rule `MLX1010` (did you mean `MLX1"),
        ('ignore = [""]', "unknown rule ``"),
        ('select = "ALL"', "expected a list of strings, not 'ALL'"),
        ("exclude = [1]", "expected a list of strings, not [1]"),
        ('exclude = ["!"]', "expected a pattern as in .gitignore, not '!'"),
        ('fail-on = "fatal"', "expected 'error' or 'warning' or 'info', not 'fatal'"),
        ('jobs = "two"', "expected a whole number from 1, not 'two'"),
        ("jobs = true", "expected a whole number from 1, not True"),
        ("respect-gitignore = 1", "expected true or false, not 1"),
        ("target-mlx = 0.31", "expected a version"),
        ('target-mlx = "new"', "expected a version"),
        ("baseline = 1", "expected a string, not 1"),
        ('output-format = "xml"', "expected 'text' or"),
        ("severity = 1", "expected a table, not 1"),
        ('severity = {nosuch = "info"}', "unknown rule `nosuch`"),
        ('per-file-ignores = {"*.py" = ["nosuch"]}', "unknown rule `nosuch`"),
        ("select = [", "invalid TOML"),
        ('extend = "nosuch.toml"', "No such file or directory"),
    ],
)
def test_bad_config_is_one_line_that_names_the_place(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "mlxlint.toml", text)
    with pytest.raises(ConfigError) as error:
        settings(tmp_path)
    assert message in str(error.value)
    assert ".toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool]\nmlxlint = 1")
    with pytest.raises(ConfigError, match="not a table"):
        settings(tmp_path)


def test_a_config_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "mlxlint.toml").write_bytes(b"# \xe9")
    with pytest.raises(ConfigError, match="not UTF-8"):
        settings(tmp_path)


def test_a_bad_option_is_named_as_one() -> None:
    with pytest.raises(ConfigError, match="--select: unknown rule `nosuch`"):
        Configuration({"select": ["nosuch"]})


# Selection


@pytest.mark.parametrize("selector", ["MLX101", "mlx101", "boolean-mask-read"])
def test_a_rule_by_code_and_name(selector: str) -> None:
    assert codes_of(selector) == {MASK}


def test_prefixes_and_all() -> None:
    assert codes_of("MLX0") == {"MLX001", "MLX002", "MLX003", "MLX004"}
    assert codes_of("ALL") == codes_of("MLX") == set(registry.rules())


@pytest.mark.parametrize(
    ("config", "options", "selected"),
    [
        ("", {}, True),
        ('select = ["MLX0"]', {}, False),
        ('select = ["MLX0"]\nextend-select = ["boolean-mask-read"]', {}, True),
        ('select = ["MLX0"]', {"extend-select": ["MLX1"]}, True),
        ('ignore = ["MLX1"]', {}, False),
        ('select = ["MLX101"]\nignore = ["MLX1"]', {}, True),
        ('select = ["MLX1"]\nignore = ["MLX101"]', {}, False),
        ('select = ["MLX101"]\nignore = ["boolean-mask-read"]', {}, False),
        ('ignore = ["MLX101"]', {"select": ["MLX1"]}, True),
        ('select = ["MLX1"]', {"ignore": ["MLX101"]}, False),
    ],
)
def test_what_is_selected(tmp_path: Path, config: str, options: dict[str, Any], selected: bool) -> None:
    write(tmp_path / "mlxlint.toml", config)
    assert (MASK in settings(tmp_path, options).codes) is selected


def test_failures_are_told_whatever_is_selected(tmp_path: Path) -> None:
    assert settings(tmp_path, {"select": [MASK]}).codes == {"MLX001", "MLX002", MASK}


def test_per_file_ignores(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", '[per-file-ignores]\n"tests/" = ["MLX1"]\n"*_pt.py" = ["ALL"]')
    found = settings(tmp_path)
    assert MASK not in found.codes_for(str(tmp_path / "tests" / "deep" / "a.py"))
    assert MASK not in found.codes_for(str(tmp_path / "model_pt.py"))
    assert MASK in found.codes_for(str(tmp_path / "model.py"))


def test_severities_the_more_specific_wins(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", '[severity]\nboolean-mask-read = "warning"\nMLX1 = "info"')
    found = settings(tmp_path).severity
    assert found[MASK] is Severity.WARNING
    assert {found[code] for code in codes_of("MLX1") - {MASK}} <= {Severity.INFO}


# Paths


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    write(tmp_path / "mlxlint.toml", 'baseline = "known.json"\nsrc = ["lib"]\nexclude = ["/gen"]')
    (tmp_path / "a").mkdir()
    found = settings(tmp_path / "a")
    assert found.path("baseline") == str(tmp_path / "known.json")
    assert found.src == (str(tmp_path / "lib"),)
    assert found.excludes(str(tmp_path / "gen" / "x.py"))
    assert not found.excludes(str(tmp_path / "a" / "gen" / "x.py"))


def test_an_option_is_relative_to_the_working_folder(tmp_path: Path) -> None:
    assert settings(tmp_path, {"baseline": "b.json"}).path("baseline") == os.path.abspath("b.json")


def test_extend_exclude_adds_up(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", 'extend-exclude = ["one"]')
    write(tmp_path / "mlxlint.toml", 'extend = "base.toml"\nextend-exclude = ["two"]')
    found = settings(tmp_path)
    assert [name for name in ("one", "two", "three") if found.excludes(str(tmp_path / name), True)] == ["one", "two"]


def test_globs_as_in_gitignore() -> None:
    globs = Globs("/base", ("*.py", "!keep.py", "out/"))
    assert globs.verdict("/base/a/b.py") is True
    assert globs.verdict("/base/keep.py") is False
    assert globs.verdict("/base/out") is None
    assert globs.verdict("/base/out", directory=True) is True


# Description


def test_every_key_is_described() -> None:
    described = Configuration().default.describe()
    assert all(f"\n{key} = " in described for key in KEYS if key != "extend")
    assert "MLX101 boolean-mask-read" in described
