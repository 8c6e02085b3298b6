"""The index of rules: what it spares, and when it is made anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlxlint import registry
from mlxlint.rule import Rule

ROOT = Path(__file__).parent.parent
RULE = '''
import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Kind, Rule, Severity


class {name}(Rule):
    """A rule of this test"""

    code = "{code}"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "found"
'''


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with mlxlint and a few of its rules, as an installation has them."""
    shutil.copytree(ROOT / "mlxlint", tmp_path / "mlxlint", ignore=shutil.ignore_patterns("__pycache__"))
    for family in ("", "tool"):
        (tmp_path / "mlxlint" / "rules" / family).mkdir()
        for file in (ROOT / "rules" / family).glob("*.py"):
            shutil.copy(file, tmp_path / "mlxlint" / "rules" / family)
    return tmp_path


def loaded(installed: Path, **environment: str) -> tuple[int, bool]:
    """How many rules a new process knows, and whether it imported them to know them."""
    known = "import sys; from mlxlint import registry; print(len(registry.rules()), '{}' in sys.modules)"
    script = known.format("mlxlint.rules.tool.syntax_error")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=installed,
        env={**kept, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(kept_in(installed)), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, imported = done.stdout.split()
    return int(count), imported == "True"


def kept_in(installed: Path) -> Path:
    """The user's cache, beside the installation: a folder of it would be a change to what is installed."""
    return installed.with_name(f"{installed.name}-cache")


def index(installed: Path) -> Path | None:
    return next((kept_in(installed) / "mlxlint").glob("rules-*.json"), None)


def write_rule(installed: Path, name: str, code: str) -> None:
    text = RULE.format(name=name.title().replace("_", ""), code=code)
    (installed / "mlxlint" / "rules" / "tool" / f"{name}.py").write_text(text, encoding="utf-8")


def test_rules_are_known_without_being_imported(installed: Path) -> None:
    count, imported = loaded(installed)
    assert count >= 4
    assert imported
    assert loaded(installed) == (count, False)


def test_a_new_rule_is_found(installed: Path) -> None:
    count, _ = loaded(installed)
    write_rule(installed, "one_more", "XYZ001")
    assert loaded(installed) == (count + 1, True)
    assert loaded(installed) == (count + 1, False)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stamp": 1}', '{"stamp": "", "folders": ["/nosuch"]}'])
def test_an_index_that_is_none_is_made_anew(installed: Path, content: str) -> None:
    count, _ = loaded(installed)
    found = index(installed)
    assert found is not None
    found.write_text(content, encoding="utf-8")
    assert loaded(installed) == (count, True)
    assert loaded(installed) == (count, False)


def test_no_index_where_no_byte_code_is_wanted(installed: Path) -> None:
    for _ in range(2):
        assert loaded(installed, PYTHONDONTWRITEBYTECODE="1")[1]
    assert index(installed) is None


def test_an_index_that_cannot_be_kept_is_done_without(installed: Path) -> None:
    kept_in(installed).write_text("a file where the folder would be", encoding="utf-8")
    assert [loaded(installed)[1], loaded(installed)[1]] == [True, True]


def test_no_index_in_the_working_folder(installed: Path) -> None:
    for _ in range(2):
        assert loaded(installed, XDG_CACHE_HOME="kept")[1]
    assert not (installed / "kept").exists()


def test_nothing_is_left_beside_the_rules(installed: Path) -> None:
    loaded(installed)
    strange = [path for path in (installed / "mlxlint").rglob("__pycache__/*") if path.suffix != ".pyc"]
    assert strange == []


def test_rules_that_share_a_code_are_an_error(installed: Path) -> None:
    write_rule(installed, "one_more", "XYZ001")
    write_rule(installed, "yet_one_more", "XYZ001")
    done = subprocess.run(
        [sys.executable, "-m", "mlxlint", "rule"], capture_output=True, text=True, cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "share `yet-one-more` or `XYZ001`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_rules_by_code_name_and_alias() -> None:
    rule = registry.find("mlx101")
    assert isinstance(rule, Rule)
    assert registry.find("Boolean-Mask-Read") is rule is registry.rules()["MLX101"]
    assert registry.code_of("boolean-mask-read") == "MLX101"
    assert (registry.find("no-such-rule"), registry.code_of("no-such-rule")) == (None, None)
    assert "boolean-mask-read" in registry.by_name()
    assert len(registry.rules()) == len(dict(registry.rules()))


def test_a_stand_in_is_shown_what_its_rule_asks_for() -> None:
    codes = list(registry.rules())
    stand_ins = registry.unloaded(codes)
    assert [rule.code for rule in stand_ins] == codes
    for stand_in in stand_ins:
        assert stand_in.triggers() == registry.rules()[stand_in.code].triggers()
        assert stand_in.name == registry.rules()[stand_in.code].name
