"""The releases that code is for: read from options and from what the project requires, and what rules make of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from mlxlint import evidence
from mlxlint.cli import cli
from mlxlint.config import ConfigError, Configuration
from mlxlint.engine import Analysis
from mlxlint.model import api
from mlxlint.registry import rules
from mlxlint.rule import Finding, Severity
from mlxlint.source import Source
from mlxlint.target import NEWEST, declared, target

CORE = "import mlx.core as mx\n\nx = mx.zeros((2, 3))\n"


def found(text: str, mlx: str | None = None, mlx_lm: str | None = None) -> list[Finding]:
    analysis = Analysis(list(rules().values()), target_mlx=mlx, target_mlx_lm=mlx_lm)
    return [f for f in analysis.lint(Source("example.py", text)) if f.severity is not Severity.INFO]


def messages(text: str, mlx: str | None = None, mlx_lm: str | None = None) -> list[str]:
    return [f.message for f in found(text, mlx, mlx_lm)]


# Which releases


@pytest.mark.parametrize(
    ("text", "releases"),
    [
        ("0.31", ("0.31.0", "0.31.1", "0.31.2")),
        ("0.31.1", ("0.31.1",)),
        ("==0.31.1", ("0.31.1",)),
        (">=0.30.6,<0.31.2", ("0.30.6", "0.31.0", "0.31.1")),
        ("~=0.31.1", ("0.31.1", "0.31.2")),
        ("0.31.7", ("0.31.2",)),  # not known: like the one before
        ("99.0", api.versions("mlx")[-1:]),
        (">=99", api.versions("mlx")[-1:]),
    ],
)
def test_versions_and_ranges(text: str, releases: tuple[str, ...]) -> None:
    assert target("mlx", text).releases == releases


@pytest.mark.parametrize("text", ["", "new", "1", "=> 0.3", ">=0.30 <0.32"])
def test_what_is_neither_version_nor_range(text: str) -> None:
    with pytest.raises(ValueError, match="expected a version"):
        target("mlx", text)


def test_older_than_all_that_is_known() -> None:
    with pytest.raises(ValueError, match=r"no release of mlx that is known is '<0\.0\.2'"):
        target("mlx", "<0.0.2")


def test_without_a_target_the_newest_is_meant() -> None:
    assert target("mlx", None) is NEWEST
    assert NEWEST.newest is None


# What the project requires


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\ndependencies = ["numpy", "MLX[cpu]>=0.30,<0.31 ; python_version > \'3\'"]'),
        ("pyproject.toml", '[project]\nname = "x"\n[project.optional-dependencies]\nrun = ["mlx>=0.30,<0.31"]'),
        ("requirements.txt", "-r other.txt\nmlx>=0.30,<0.31  # why\nnumpy\n"),
        ("setup.cfg", "[options]\ninstall_requires =\n    numpy\n    mlx>=0.30,<0.31\n"),
    ],
)
def test_requirements_are_found(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "src").mkdir()
    settings = Configuration().settings(str(tmp_path / "src"))
    assert target("mlx", settings.value("target-mlx")).releases[0] == "0.30.0"
    assert settings.value("target-mlx").replace(" ", "") in (">=0.30,<0.31", "<0.31,>=0.30")
    assert settings.value("target-mlx-lm") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "mlx = [broken"),
        ("pyproject.toml", 'project = "mlx"'),
        ("pyproject.toml", '[project]\ndependencies = ["mlx"]'),
        ("pyproject.toml", '[project]\ndependencies = ["mlx @ https://example.org/mlx.whl"]'),
        ("requirements.txt", "mlx\nmlx-data>=0.1\n"),
        ("requirements.txt", "mlx<0.0.1"),
        ("setup.cfg", "mlx"),
    ],
)
def test_what_requires_nothing(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert declared(str(tmp_path)) == {}


def test_the_config_and_the_command_line_win_over_requirements(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("mlx==0.29.4\nmlx-lm==0.28.4\n")
    assert Configuration().settings(str(tmp_path)).value("target-mlx-lm") == "==0.28.4"
    below = tmp_path / "package"
    below.mkdir()
    (below / "mlxlint.toml").write_text('target-mlx = "0.30"')
    settings = Configuration().settings(str(below))
    assert (settings.value("target-mlx"), settings.value("target-mlx-lm")) == ("0.30", "==0.28.4")
    given = Configuration({"target-mlx": "0.31"}).settings(str(below))
    assert given.value("target-mlx") == "0.31"
    assert Configuration(isolated=True).settings(str(tmp_path)).value("target-mlx") is None


@pytest.mark.parametrize(("text", "says"), [("new", "expected a version"), ("<0.0.1", "they are 0.")])
def test_an_unusable_target_is_an_error_of_the_config(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "mlxlint.toml").write_text(f'target-mlx = "{text}"')
    with pytest.raises(ConfigError, match=says):
        Configuration().settings(str(tmp_path))


# What rules make of it


def test_a_name_that_the_target_does_not_have_yet() -> None:
    text = CORE + "y = mx.trunc(x)\n"
    assert messages(text) == []
    assert messages(text, "0.32.4") == []
    [finding] = found(text, "0.31")
    assert finding.message == "`mlx.core` has no `trunc` in 0.31.2: 0.32.1 is the first known to have it"
    assert finding.severity is Severity.ERROR


def test_a_name_that_only_some_of_the_releases_have_is_a_warning() -> None:
    [finding] = found(CORE + "y = mx.trunc(x)\n", ">=0.31,<0.32.3")
    assert finding.severity is Severity.WARNING
    assert "in 0.31.2" in finding.message


def test_nothing_is_said_of_a_release_whose_surface_is_not_known() -> None:
    assert messages(CORE + "y = mx.trunc(x)\n", "0.32.0") == []


def test_code_that_asks_for_the_version_is_left_alone() -> None:
    assert messages(CORE + 'if hasattr(mx, "trunc"):\n    y = mx.trunc(x)\n', "0.31") == []


def test_a_name_that_is_gone() -> None:
    text = CORE + "y = x * mx.Inf\n"
    assert any("no `Inf`" in message for message in messages(text))
    assert messages(text, "0.15.2") == []


def test_an_attribute_of_arrays_that_came_later() -> None:
    text = CORE + "y = x.mT\n"
    assert messages(text) == []
    assert any("`mT` in 0.31.2" in message for message in messages(text, "0.31"))


def test_a_name_of_mlx_lm_that_moved() -> None:
    text = "from mlx_lm.utils import GenerationResponse\n"
    [message] = messages(text)
    assert message.endswith("its last release was 0.22.2; `mlx_lm.generate` has one")
    assert messages(text, mlx_lm="0.22.2") == []
    assert messages(text, mlx="0.22.1") == [message]


def test_a_deprecated_name_counts_where_its_successor_is() -> None:
    text = CORE + "mx.metal.clear_cache()\n"
    [message] = messages(text, "0.31.1")
    assert message == "`mx.metal.clear_cache` is deprecated: it is `mx.clear_cache` now, in MLX 0.31.1"
    assert messages(text, "0.20.0") == []
    assert messages(text, ">=0.20,<0.31") == []


def test_a_keyword_that_older_releases_lack() -> None:
    text = CORE + "y = mx.zeros_like(x, dtype=mx.float16)\n"
    assert messages(text) == []
    assert messages(text, "0.31.2") == ["`mx.zeros_like` takes no keyword `dtype`"]
    [finding] = found(text, ">=0.31.2,<1")
    assert finding.severity is Severity.WARNING
    assert finding.message == "`mx.zeros_like` takes no keyword `dtype` in 0.31.2"


def test_rules_seen_not_to_hold_are_left_out() -> None:
    code = "MLX465"  # integer matmul: refuted on older releases
    refuted = [v for v in evidence.by_release(code) if evidence.holds(code, v) is False]
    confirmed = evidence.releases_holding(code)
    text = CORE + "n = mx.array([[1, 0], [1, 1]])\nm = n @ n\n"
    assert [f.code for f in found(text, confirmed[-1])] == [code]
    assert found(text, refuted[0]) == []
    assert [f.code for f in found(text, f">={refuted[0]},<={confirmed[-1]}")] == [code]


def test_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "port.py"
    file.write_text(CORE + "y = mx.trunc(x)\n")
    run = CliRunner()
    assert run.invoke(cli, ["check", str(file)], standalone_mode=False).return_value == 0
    assert run.invoke(cli, ["check", str(file), "--target-mlx", "0.31"], standalone_mode=False).return_value == 1
    (tmp_path / "requirements.txt").write_text("mlx>=0.30\n")
    assert run.invoke(cli, ["check", str(file)], standalone_mode=False).return_value == 0
    (tmp_path / "requirements.txt").write_text("mlx>=0.30,<1\n")
    result = run.invoke(cli, ["check", str(file)], standalone_mode=False)
    assert result.return_value == 1
    assert "0.32.1 is the first known" in result.output.replace("\n", " ")


# A lower bound alone


def test_a_lower_bound_is_judged_on_the_newest() -> None:
    assert target("mlx", ">=0.11").decisive == api.versions("mlx")[-1:]
    assert target("mlx", ">=0.11,!=0.30.0").is_open
    assert not target("mlx", ">=0.11,<1").is_open
    assert not target("mlx", "0.31").is_open
    text = CORE + "y = mx.trunc(x)\n"
    assert messages(text, ">=0.11") == []
    assert messages(text, ">=0.11,<1") != []


def test_what_is_suggested_is_there_in_all_that_a_lower_bound_allows() -> None:
    text = "import mlx.core as mx\n\nmx.metal.clear_cache()\n"
    assert messages(text, ">=0.11") == []
    assert len(messages(text, ">=0.25")) == 1


GENERATION = """
from mlx_lm import generate, load

x = None
model, tokenizer = load("some/model")
text = generate(model, tokenizer, "What is MLX?", temp=0.7)
"""


def test_generation_keywords_by_release() -> None:
    assert messages(GENERATION, mlx_lm="0.20.0") == []
    assert len(messages(GENERATION, mlx_lm="0.32.2")) == 1
    [finding] = found(GENERATION.replace("temp=0.7", "input_embeddings=x"), mlx_lm=">=0.20,<1")
    assert finding.severity is Severity.WARNING
    assert finding.message == "`generate` takes no `input_embeddings` in MLX-LM 0.24.1"
