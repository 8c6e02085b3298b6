"""Whatever is read from outside, nothing but the errors that are said to come comes of it.

Short here; with ``MLXLINT_FUZZ=100`` in the environment it looks for longer, and elsewhere each time: ``make fuzz``.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesmith
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxlint import cache, run
from mlxlint.audit.reading import Reading
from mlxlint.baseline import Baseline, BaselineError
from mlxlint.checker import Checker, Task
from mlxlint.config import KEYS, ConfigError, Configuration, Settings
from mlxlint.files import File
from mlxlint.registry import rules
from mlxlint.source import Source, UnreadableText

LONG = "MLXLINT_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("MLXLINT_FUZZ", 12))

fuzzed = settings(max_examples=EXAMPLES, deadline=None, derandomize=not LONG, suppress_health_check=list(HealthCheck))

HAZARD = "import mlx.core as mx\nx = mx.array([1, 2])\ny = x[x > 1]\n"
texts = st.text(max_size=30)
plain = st.none() | st.booleans() | st.integers() | st.floats() | texts
values: st.SearchStrategy[Any] = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
)


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A file of which some part is cut out, said twice, or other bytes."""
    place = st.integers(0, len(whole))

    def damage(first: int, last: int, put: bytes) -> bytes:
        first, last = sorted((first, last))
        return whole[:first] + put + whole[last:]

    put = st.binary(max_size=8) | place.map(lambda at: whole[at : at + 20]) | st.just(b"null") | st.just(b"[")
    return st.builds(damage, place, place, put)


# Source


@fuzzed
@given(hypothesmith.from_grammar() | damaged(HAZARD.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_pytorch_code(text: str) -> None:
    reading = Reading(list(rules().values()))
    found = reading.lint(Source("fuzz.py", "import torch\n" + text))
    assert not [finding.message for finding in found if finding.name == "internal-error"]


@fuzzed
@given(st.binary(max_size=200) | damaged(b"# -*- coding: utf-8 -*-\n" + HAZARD.encode()))
def test_bytes(data: bytes) -> None:
    found = Checker().check(Task(None, "fuzz.py", data, defaults())).findings
    assert not [finding.message for finding in found if finding.name == "internal-error"]


def defaults() -> Settings:
    return Configuration(isolated=True).default


# Notebooks

NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "code", "source": ["%time\n", HAZARD], "outputs": [], "metadata": {}},
            {"cell_type": "markdown", "source": "# Text", "metadata": {}},
            {"cell_type": "code", "source": "y = x[x > 1]", "outputs": [{"data": "x"}], "metadata": {}},
        ],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
    }
).encode()


@fuzzed
@given(damaged(NOTEBOOK) | values.map(lambda value: json.dumps(value).encode()))
def test_notebooks(data: bytes) -> None:
    try:
        source = Source.decode("fuzz.ipynb", data)
    except UnreadableText:
        return
    assert source.encode(source.text) == data
    found = Checker().check(Task(None, "fuzz.ipynb", data, defaults())).findings
    assert not [finding.message for finding in found if finding.name == "internal-error"]


# Config

CONFIG = b"""\
[tool.mlxlint]
select = ["ALL"]
ignore = ["MLX101"]
fail-on = "warning"
target-mlx = "0.31"
per-file-ignores = { "tests/**" = ["MLX4"] }
[tool.mlxlint.severity]
MLX210 = "info"
"""


@fuzzed
@given(damaged(CONFIG) | st.binary(max_size=60))
def test_config_files(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(data)
    with suppress(ConfigError):
        assert Configuration().settings(str(tmp_path)).codes is not None


@fuzzed
@given(st.dictionaries(st.sampled_from(sorted(KEYS)) | texts, values, max_size=4))
def test_config_values(options: dict[str, Any]) -> None:
    for key, value in options.items():
        if key in KEYS:
            with suppress(ValueError):
                KEYS[key].parse(value)


# Baseline

BASELINE = json.dumps(
    {"version": 1, "findings": [{"path": "a.py", "rule": "MLX101", "line": "y = x[x > 1]", "count": 2}]}
).encode()


@fuzzed
@given(damaged(BASELINE) | values.map(lambda value: json.dumps(value).encode()))
def test_baselines(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(data)
    try:
        baseline = Baseline.read(str(path))
    except BaselineError:
        return
    baseline.filter(Checker().check(Task(None, "a.py", HAZARD.encode(), defaults())).findings, lambda finding: "")


# Cache


@fuzzed
@given(st.binary(max_size=400))
def test_cache_files(tmp_path: Path, data: bytes) -> None:
    """Of a damaged cache nothing is believed, and what is checked anew is found."""
    files, kept = cached(tmp_path)
    kept.write_bytes(data)
    assert run.check(files, cached=True).findings == run.check(files).findings


@fuzzed
@given(st.data(), st.sampled_from(["asked", "told", "findings"]))
def test_cached_rows(tmp_path: Path, data: st.DataObject, column: str) -> None:
    """A row in which anything changed is not believed."""
    files, kept = cached(tmp_path)
    with sqlite3.connect(kept) as database:
        [[text]] = database.execute(f"SELECT {column} FROM results").fetchall()
        changed = data.draw(damaged(text.encode()) | values.map(lambda value: json.dumps(value).encode()))
        database.execute(f"UPDATE results SET {column} = ?", (changed.decode("utf-8", "replace"),))
    database.close()
    assert run.check(files, cached=True).findings == run.check(files).findings


def cached(folder: Path) -> tuple[list[File], Path]:
    """A file whose findings are kept, and where."""
    (folder / "pyproject.toml").write_text("[tool.mlxlint]\n", encoding="utf-8")
    path = folder / "a.py"
    path.write_text(HAZARD, encoding="utf-8")
    files = [File(str(path), Configuration().settings(str(folder)))]
    cache.clean(cache.folder(files[0].settings))
    assert len(run.check(files, cached=True).findings) == 1
    return files, Path(cache.folder(files[0].settings)) / cache.FILE


# Language server

URI = "file:///fuzz.py"
positions = st.fixed_dictionaries({"line": st.integers(-1, 5), "character": st.integers(-1, 40)})
ranges = st.fixed_dictionaries({"start": positions, "end": positions})
document = {"uri": URI, "version": 2}
messages = st.one_of(
    st.builds(
        lambda changes: ("textDocument/didChange", {"textDocument": document, "contentChanges": changes}),
        st.lists(st.fixed_dictionaries({"text": texts}, optional={"range": ranges}), max_size=3),
    ),
    positions.map(lambda at: ("textDocument/hover", {"textDocument": {"uri": URI}, "position": at})),
    ranges.map(
        lambda at: (
            "textDocument/codeAction", {"textDocument": {"uri": URI}, "range": at, "context": {"diagnostics": []}}
        )
    ),
    values.map(lambda value: ("workspace/didChangeConfiguration", {"settings": value})),
    st.tuples(st.sampled_from(["workspace/executeCommand", "textDocument/diagnostic", "mlxlint/none", ""]), values),
)  # fmt: skip
MESSAGES = st.lists(st.tuples(messages, st.booleans()), min_size=20, max_size=40)


@settings(fuzzed, max_examples=max(EXAMPLES // 20, 1))
@given(MESSAGES)
def test_messages_to_the_language_server(sent: list[tuple[tuple[str, Any], bool]]) -> None:
    """After any messages it still ends when it is asked to."""
    pytest.importorskip("pygls")
    opened = {"textDocument": {"uri": URI, "languageId": "python", "version": 1, "text": HAZARD}}
    capabilities = {"processId": None, "rootUri": None, "capabilities": {}}
    conversation = [
        message("initialize", capabilities, 0),
        message("initialized", {}),
        message("textDocument/didOpen", opened),
    ]
    conversation += [message(*each, number if asks else None) for number, (each, asks) in enumerate(sent, 1)]
    conversation += [message("shutdown", None, "last"), message("exit", None)]
    server = [sys.executable, "-m", "mlxlint", "server"]
    done = subprocess.run(server, input=b"".join(conversation), capture_output=True, timeout=120, check=False)
    assert b'"last"' in done.stdout, done.stderr.decode()[-2000:]
    assert done.returncode == 0


def message(method: str, params: Any, number: object = None) -> bytes:
    content = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
    body = json.dumps(content).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
