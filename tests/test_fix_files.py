"""All rules' fixes together, on the fixtures and on real files: what comes out parses, with nothing left to fix."""

from __future__ import annotations

import ast
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import Lint
from marks import FIXTURES, FixtureFile, fixture_files
from reshape import Parenthesized, reshaped

from mlxlint import run
from mlxlint.config import Configuration
from mlxlint.files import File, collect
from mlxlint.fix import fix
from mlxlint.rule import Applicability, Finding
from mlxlint.source import Source

FILES = list(fixture_files())
REAL = ("mlx", "mlx_lm", "libcst")
SOME = 6  # of each package's files


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.relative_to(FIXTURES).as_posix())
def test_fixtures(file: FixtureFile, lint: Lint) -> None:
    fixed = fix(
        Source(str(file.path), file.text),
        lint(file.text, file.path),
        lambda source: lint(source.text, file.path),
        unsafe=True,
    )
    ast.parse(fixed.source.text)
    assert fixed.stable
    assert not fixed.broken


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path.relative_to(FIXTURES).as_posix())
def test_parentheses_and_commas_change_nothing(file: FixtureFile, lint: Lint) -> None:
    """To Python both texts are the same program, and so they are after fixing."""
    texts = file.text, reshaped(file.text, Parenthesized)
    programs = [ast.unparse(ast.parse(fixed_text(text, file, lint))) for text in texts]
    assert programs[0] == programs[1]


def fixed_text(text: str, file: FixtureFile, lint: Lint) -> str:
    def again(source: Source) -> list[Finding]:
        return lint(source.text, file.path)

    source = Source(str(file.path), text)
    return fix(source, again(source), again, unsafe=True).source.text


def test_expressions_of_several_lines_keep_their_indent(lint: Lint) -> None:
    head = "import mlx.core as mx\n\n\nclass Model:\n    def __call__(self, x: mx.array):\n"
    source = Source(
        "model.py",
        head + "        return mx.cat(\n            [\n                x,\n            ],\n            0,\n        )\n",
    )
    fixed = fix(source, lint(source.text), lambda changed: lint(changed.text), unsafe=True)
    assert fixed.source.text == head + "        return mx.concatenate([\n                x,\n            ], axis=0)\n"


def real_files(package: str) -> list[Path]:
    spec = find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []
    files = sorted(path for folder in folders for path in folder.rglob("*.py") if 1_000 < path.stat().st_size < 30_000)
    return random.Random(package).sample(files, min(SOME, len(files)))


@pytest.mark.parametrize("package", REAL)
def test_real_files(package: str, tmp_path: Path) -> None:
    for number, path in enumerate(real_files(package)):
        (tmp_path / f"f{number}.py").write_bytes(
            path.read_bytes() + b"\nimport mlx.core as mx\nmx.metal.clear_cache()\n"
        )
    named = [str(path) for path in tmp_path.iterdir()]
    if not named:
        pytest.skip(f"{package} is not installed")
    files: list[File] = collect(named, Configuration(isolated=True)).files
    result = run.check(files, jobs=1, fixes=Applicability.UNSAFE)
    assert result.fixed.keys() == result.checked.keys()
    for name, fixed in result.fixed.items():
        ast.parse(fixed.source.text)
        assert fixed.source.text.endswith("\nmx.clear_cache()\n")
        assert fixed.stable
        Path(name).write_bytes(fixed.source.encode(fixed.source.text))
    assert not run.check(files, jobs=1, fixes=Applicability.UNSAFE).fixed
