"""No text makes the analysis raise or a rule fail: generated programs, and files nobody here wrote."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesmith
import pytest
from conftest import Lint
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.source import Source, UnreadableText

LARGEST = 60_000  # bytes
A_SAMPLE = 24  # files of one library

bounded = settings(max_examples=100, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

NAMES = "x y mask model mx nn optim np torch self load batch_generate".split()
LITERALS = "0 -1 2.5 1j True None ... 'a' b'' f'{x}' () [] {} (1,3,32,32) [True,False]".split()
ATTRIBUTES = "shape T at grad weight parameters array float32 sum item Conv2d Module metal compile".split()
KNOWN = [
    "mx.array([1, 2, 3])",
    "mx.zeros((2, 3))",
    "nn.Linear(2, 3)",
    "nn.Conv2d(3, 8, 3)",
    "mx.random.normal((1, 3, 8, 8))",
]
HEADER = """\
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
import numpy as np, torch
from mlx_lm import load, batch_generate
x = mx.zeros((1, 3, 8, 8)); y = x.sum(0); mask = x > 0; model = nn.Linear(8, 8); self = model
"""


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def form(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda filled: template.format(*filled))

    attributes = st.sampled_from(ATTRIBUTES)
    operators = st.sampled_from(["+", "@", ">", "==", "and", "//", "is not", "in"])
    keywords = st.sampled_from(["axis", "dim", "keepdims", "shape", "key", "bias", "dtype"])
    return st.one_of(
        form("{}.{}", inner, attributes),
        form("{}[{}]", inner, inner),
        form("{}[:, {}:, None, ...]", inner, inner),
        form("{}({})", inner, inner),
        form("{}({}, {}={})", inner, inner, keywords, inner),
        form("{}(*{}, **{})", inner, inner, inner),
        form("mx.{}({}, {})", attributes, inner, inner),
        form("({} {} {})", inner, operators, inner),
        form("(~{})", inner),
        form("({} if {} else {})", inner, inner, inner),
        form("[{} for x in {} if {}]", inner, inner, inner),
        form("{{{}: {}}}", inner, inner),
        form("(lambda x, *y: {})({})", inner, inner),
        form("(mask := {})", inner),
        form("({}, *{})", inner, inner),
    )


expressions = st.recursive(st.sampled_from(NAMES + LITERALS + KNOWN), _larger, max_leaves=8)
TEMPLATES = [
    "{0}",
    "x = y = {0}",
    "x, *y = {0}",
    "B, C, H, W = {0}.shape",
    "x[{0}] = {1}",
    "x[{0}] += {1}",
    "self.weight = {0}",
    "del x, y",
    "for x in {0}:\n    y = {1}\n    if y: break\nelse:\n    x = {0}",
    "while {0}:\n    x = {1}; y = x",
    "if {0}: x = {1}\nelif x: pass\nelse: del x",
    "try:\n    x = {0}\nexcept {1} as y: raise\nfinally: y = {0}",
    "with {0} as x, {1}: pass",
    "def f(x, y: mx.array = {0}, *mask, **model):\n    global self\n    return f({1})\nx = f(x)",
    "@mx.compile\ndef g(x): return {0}\ny = g({1})",
    "async def h():\n    async for x in {0}: yield await x",
    "class N(nn.Module):\n    def __init__(self): self.a = {0}\n    def __call__(s, x): return s.a({1})\nmodel = N()",
    "class M(M if {0} else object, metaclass={1}): x = {0}",
    "match {0}:\n    case [x, *y] if {1}: pass\n    case mx.array(T=y) | {{'a': y}}: pass\n    case _: x = {1}",
    "loss, grads = nn.value_and_grad(model, {0})(model, {1})",
    "optim.Adam(1e-3).update(model, {0}); mx.eval({1})",
    "from mlx.nn import *\nimport mlx.core\nx = mlx.core.{0}",
]
filled = st.tuples(st.sampled_from(TEMPLATES), expressions, expressions)
statements = filled.map(lambda parts: parts[0].format(*parts[1:]))
programs = st.lists(statements, min_size=1, max_size=6).map(lambda lines: HEADER + "\n".join(lines) + "\n")


def parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def assert_survives(lint: Lint, text: str) -> None:
    assert not [finding.message for finding in lint(text) if finding.name == "internal-error"]


@bounded
@given(programs)
def test_programs_that_use_mlx(lint: Lint, text: str) -> None:
    assume(parses(text))
    assert_survives(lint, text)


@bounded
@given(hypothesmith.from_grammar())
def test_programs_of_the_grammar(lint: Lint, text: str) -> None:
    assert_survives(lint, text)


@bounded
@given(st.text())
def test_any_text(lint: Lint, text: str) -> None:
    assert_survives(lint, text)


@bounded
@given(programs, st.data())
def test_programs_cut_short(lint: Lint, text: str, data: st.DataObject) -> None:
    """What an editor sends while somebody is typing."""
    assert_survives(lint, text[: data.draw(st.integers(0, len(text)))])


def package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def libraries() -> Iterator[tuple[str, Path]]:
    yield "stdlib", Path(sysconfig.get_path("stdlib"))
    for name in ("mlx_lm", "numpy", "libcst", "rich"):
        if folder := package(name):
            yield name, folder


def sample(folder: Path) -> Iterator[Source]:
    """Files spread evenly over a folder."""
    paths = [
        path
        for path in sorted(folder.rglob("*.py"))
        if "site-packages" not in path.relative_to(folder).parts and path.stat().st_size < LARGEST
    ]
    for path in paths[:: len(paths) // A_SAMPLE + 1]:
        with suppress(UnreadableText):
            yield Source.decode(str(path), path.read_bytes())


@pytest.mark.parametrize("folder", [pytest.param(folder, id=name) for name, folder in libraries()])
def test_files_of_others(folder: Path, lint: Lint) -> None:
    for source in sample(folder):
        assert_survives(lint, source.text)


def test_project_of_others() -> None:
    """Files that import each other, and MLX."""
    folder = package("mlx_lm")
    if folder is None:
        pytest.skip("MLX-LM is not installed")
    analysis = Analysis(list(rules().values()))
    found = [finding for source in sample(folder) for finding in analysis.lint(source, Path(source.path))]
    assert not [finding for finding in found if finding.name == "internal-error"]
