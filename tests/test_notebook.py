"""Notebooks: what is linted of them, how findings are told, and that fixing leaves all else as it was."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlint import run
from mlxlint.config import Configuration
from mlxlint.files import collect
from mlxlint.notebook import MARK, Notebook, cells_of, join, plain
from mlxlint.rule import Applicability, Finding
from mlxlint.source import Source, UnreadableText

IMPORT = "import mlx.core as mx\n"
ARRAY = "x = mx.zeros((3, 4))\n"


def code(source: str | list[str], **members: Any) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": source, **members}


def notebook(*cells: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **members}


def data(*cells: dict[str, Any], **members: Any) -> bytes:
    return json.dumps(notebook(*cells, **members), indent=1, ensure_ascii=False).encode()


def check(content: bytes, fixes: Applicability | None = None) -> run.Result:
    settings = Configuration(isolated=True).default
    return run.check_text(content, settings, shown="port.ipynb", fixes=fixes)


def places(findings: list[Finding]) -> list[tuple[str, int | None, int, int]]:
    return [(f.code, f.cell, f.start.row, f.start.column) for f in findings]


def fixed(content: bytes) -> bytes:
    """A notebook after its safe fixes."""
    source = check(content, Applicability.SAFE).fixed["port.ipynb"].source
    return source.encode(source.text)


# What is found


def test_a_value_of_one_cell_is_known_in_the_next() -> None:
    markdown = {"cell_type": "markdown", "metadata": {}, "source": "x[x > 0]"}
    content = data(code(IMPORT + ARRAY), markdown, code("a = 1\n\nb = x[x > 0]"))
    [finding] = check(content).findings
    assert places([finding]) == [("MLX101", 3, 3, 5)]
    assert (finding.end.row, finding.end.column, finding.statement) == (3, 13, (3, 3))
    assert [(reason.cell, reason.position and reason.position.row) for reason in finding.reasons] == [(1, 2), (3, 3)]


def test_lines_as_one_string_or_a_list() -> None:
    for source in (IMPORT + ARRAY + "y = x[x > 0]", [IMPORT, ARRAY[:4], ARRAY[4:], "y = x[x > 0]"]):
        assert places(check(data(code(source))).findings) == [("MLX101", 1, 3, 5)]


MAGICS = [
    "%matplotlib inline",
    "%time y = (",
    "!pip install 'mlx",
    "!!ls",
    "!ls \\\n   -l (\\\n   more",
    "?x",
    "x?",
    "x.shape??",
    "/f (",
    "files = !ls *.py",
    "a, b = %sx ls",
    "if x is None:\n    !ls 'it",
    "q = (1\n  % 2)",
    "print('''\n%x\n''')",
    "'# %'",
    'print("%d?" % 3)',
    "await x",
]


@pytest.mark.parametrize("magic", MAGICS)
def test_magics_are_no_errors_and_change_no_places(magic: str) -> None:
    content = data(code(IMPORT), code(magic), code(f"{ARRAY}{magic}\ny = x[x > 0]\n{magic}"))
    rows = magic.count("\n") + 1
    assert places(check(content).findings) == [("MLX101", 3, rows + 2, 5)]


@pytest.mark.parametrize("magic", ["%%bash", "%%writefile a.py", "\n%%html", "%%script python"])
def test_cells_in_other_languages_are_left_out(magic: str) -> None:
    assert check(data(code(IMPORT + ARRAY), code(f"{magic}\nx[x > 0]\n("))).findings == []


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n 3", "%%capture out"])
def test_cells_that_are_run_in_another_way_are_python(magic: str) -> None:
    assert places(check(data(code(IMPORT + ARRAY), code(f"{magic}\nx[x > 0]"))).findings) == [("MLX101", 2, 2, 1)]


def test_a_cell_may_be_indented_as_a_whole() -> None:
    assert places(check(data(code(IMPORT + ARRAY), code("    y = x\n    z = y[y > 0]"))).findings) == [
        ("MLX101", 2, 2, 9)
    ]


def test_a_broken_cell_costs_no_other_its_findings() -> None:
    content = data(code(IMPORT + ARRAY), code("a = 1\nb = = 2"), code("    (\n"), code("x[x > 0]"))
    findings = check(content).findings
    assert places(findings) == [("MLX001", 2, 2, 5), ("MLX001", 3, 1, 5), ("MLX101", 4, 1, 1)]


@pytest.mark.parametrize(
    ("metadata", "count"),
    [
        ({"kernelspec": {"language": "python", "name": "x"}}, 1),
        ({"language_info": {"name": "python"}}, 1),
        ({"kernelspec": {"language": "R"}, "language_info": {"name": "python"}}, 0),
        ({"language_info": {"name": "julia"}}, 0),
        ({"kernelspec": None}, 1),
        ([], 1),
    ],
)
def test_notebooks_of_other_kernels_are_left_alone(metadata: Any, count: int) -> None:
    content = data(code(IMPORT + ARRAY + "x[x > 0]"), metadata=metadata)
    assert len(check(content).findings) == count


def test_cells_that_an_editor_marks_as_of_another_language_are_left_out() -> None:
    cell = code("(", metadata={"vscode": {"languageId": "shellscript"}})
    assert check(data(code(IMPORT), cell)).findings == []


def test_version_3() -> None:
    sheets = [
        {"cells": [{"cell_type": "code", "language": "python", "input": [IMPORT, ARRAY], "outputs": []}]},
        {"cells": [{"cell_type": "heading", "source": "x"}, {"cell_type": "code", "input": "x.view(12)"}]},
    ]
    content = json.dumps({"worksheets": sheets, "metadata": {}, "nbformat": 3}).encode()
    assert places(check(content).findings) == [("MLX405", 3, 1, 3)]
    assert fixed(content) == content.replace(b"x.view(12)", b"x.reshape(12)")


@pytest.mark.parametrize("content", [b"", b" \n", data(), data(code("")), data(code([])), data(code("# nothing"))])
def test_nothing_in_it(content: bytes) -> None:
    assert check(content).findings == []


@pytest.mark.parametrize(
    ("content", "row", "why"),
    [
        (b'{\n "cells": [\n', 3, "not a notebook: Expecting value"),
        (b"[]", 1, "not a notebook: it has no cells"),
        (b'{"cells": {}}', 1, "not a notebook: it has no cells"),
        (b"[" * 100_000, 1, "not a notebook: nested too deeply"),
        (b'{\n"a": "\xff"}', 2, "not UTF-8: invalid byte 0xff"),
    ],
)
def test_no_notebook_is_a_finding(content: bytes, row: int, why: str) -> None:
    [finding] = check(content).findings
    assert (finding.code, finding.start.row) == ("MLX001", row)
    assert why in finding.message


@pytest.mark.parametrize(
    "cell", [3, None, {}, {"cell_type": "code"}, code(3), code([3]), code("\0("), code(f"({MARK}")]
)  # type: ignore[arg-type]
def test_cells_without_code_are_left_out(cell: Any) -> None:
    assert places(check(data(code(IMPORT + ARRAY), cell, code("x[x > 0]"))).findings) == [("MLX101", 3, 1, 1)]


# Suppressions


def test_a_comment_at_the_end_of_a_cell_is_not_above_the_next() -> None:
    content = data(code(IMPORT + ARRAY + "# mlxlint: ignore[boolean-mask-read]"), code("x[x > 0]"))
    assert {finding.code for finding in check(content).findings} == {"MLX101", "MLX003"}


def test_suppressions_of_a_line_of_the_file_and_of_a_range() -> None:
    cells = ["x[x > 0]  # mlxlint: ignore[MLX101]", "x.view(12)", "# mlxlint: disable[view-as-reshape]", "x.view(3)"]
    content = data(code(IMPORT + ARRAY), *map(code, cells))
    assert places(check(content).findings) == [("MLX405", 3, 1, 3)]
    whole = data(code(IMPORT + ARRAY), code("x.view(12)"), code("# mlxlint: file-ignore[view-as-reshape]"))
    assert check(whole).findings == []


# Fixing

PRETTY = """\
{
  "cells":[
    {"cell_type": "code",  "id": "a\\u00e9", "outputs": [{"data": {"text/plain": ["é", "\\u00e9\\/"], "x": 1.0e5}}],
     "source": [
        "import mlx.core as mx\\n",
        "x = mx.zeros(12) # \\u00e9\\/\\n",
        "y = x.view(12)\\n",
        "z = 'é'"
     ], "metadata": {"b": 1, "a": 2}},
    {"source": "x.view(3)\\t# \\u00e9 é\\n", "cell_type": "code"},
    {"source": ["x.view(3)"], "cell_type": "code"},
    {"source": ["(\\n", ")"], "cell_type": "code"}
  ] , "metadata": {}
}"""


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_all_but_the_changed_lines_stays_byte_for_byte(mark: bytes) -> None:
    expected = PRETTY.replace("y = x.view(12)", "y = x.reshape(12)").replace("x.view(3)", "x.reshape(3)")
    expected = expected.replace("\\t# \\u00e9 é", "\\t# é é")  # a string is written anew as a whole
    assert fixed(mark + PRETTY.encode()) == mark + expected.encode()


def test_escapes_stay_escapes_where_all_others_are() -> None:
    content = json.dumps(notebook(code(IMPORT + ARRAY + "x.view(12)  # é"))).encode()
    assert fixed(content) == content.replace(b"x.view", b"x.reshape")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_line_ends_stay(newline: str, end: str) -> None:
    content = data(code(f"{IMPORT}{ARRAY}x.view(12){end}".replace("\n", newline)))
    assert fixed(content) == content.replace(b"x.view", b"x.reshape")


def test_what_is_wrong_with_a_cell_is_told_without_rows_of_the_joined_text() -> None:
    content = data(code(IMPORT), code("a = 1\nb = [1,\n"), code("%ls\nif a:\nb = 1"), code("c = (1]"))
    findings = check(content).findings
    assert places(findings) == [("MLX001", 2, 2, 5), ("MLX001", 3, 3, 1), ("MLX001", 4, 1, 7)]
    assert not any(re.search(r"\d", finding.message) for finding in findings)


def test_a_broken_cell_stays_while_others_are_fixed() -> None:
    content = data(code(IMPORT + ARRAY), code("    ("), code("x.view(12)"))
    result = check(content, Applicability.SAFE)
    [left] = result.fixed["port.ipynb"].left
    assert places([left]) == [("MLX001", 2, 1, 5)]
    assert fixed(content) == content.replace(b"x.view", b"x.reshape")


def test_magics_stay_as_they_are() -> None:
    content = data(code("%load_ext x\n" + IMPORT), code(f"!ls \\\n  x\n{ARRAY}f = !ls\nif f:\n    !x\nx.view(12)"))
    assert fixed(content) == content.replace(b"x.view", b"x.reshape")


def test_a_comment_removed_leaves_an_empty_cell() -> None:
    content = data(code(IMPORT), code(["# mlxlint: ignore[view-as-reshape]"]))
    assert json.loads(fixed(content))["cells"][1]["source"] == []


def test_the_diff_is_told_cell_by_cell(tmp_path: Path) -> None:
    (tmp_path / "port.ipynb").write_bytes(data(code(IMPORT + ARRAY), code("%pwd\nx.view(12)")))
    shown = command(tmp_path, "port.ipynb", "--diff").stdout
    assert shown == (
        "--- port.ipynb:cell 2\n+++ port.ipynb:cell 2\n@@ -1,2 +1,2 @@\n %pwd\n-x.view(12)\n+x.reshape(12)\n"
    )


# On the command line


def command(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "mlxlint", "check", "--no-cache", *arguments]
    ended = subprocess.run(run, cwd=folder, input=stdin, capture_output=True, timeout=60, check=False)
    return subprocess.CompletedProcess(run, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def test_notebooks_are_found_in_folders_and_checkpoints_are_not(tmp_path: Path) -> None:
    for name in ("a.ipynb", "b.py", ".ipynb_checkpoints/a-checkpoint.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = collect([str(tmp_path)], Configuration(isolated=True)).files
    assert [Path(file.path).name for file in found] == ["a.ipynb", "b.py"]


def test_ignores_are_added_to_cells(tmp_path: Path) -> None:
    path = tmp_path / "port.ipynb"
    content = data(code(IMPORT + ARRAY), code("a = 1\nx.view(12)"), code("x[x > 0]\n"))
    path.write_bytes(content)
    assert command(tmp_path, "port.ipynb", "--add-ignores").returncode == 0
    sources = [cell["source"] for cell in json.loads(path.read_bytes())["cells"][1:]]
    assert sources == [
        "a = 1\nx.view(12)  # mlxlint: ignore[view-as-reshape]",
        "x[x > 0]  # mlxlint: ignore[boolean-mask-read]\n",
    ]
    assert command(tmp_path, "port.ipynb").returncode == 0


def test_a_baseline_knows_lines_of_cells(tmp_path: Path) -> None:
    path = tmp_path / "port.ipynb"
    path.write_bytes(data(code(IMPORT + ARRAY), code("x[x > 0]")))
    command(tmp_path, "port.ipynb", "--write-baseline", "known.json")
    [entry] = json.loads((tmp_path / "known.json").read_bytes())["findings"]
    assert entry["line"] == "x[x > 0]"
    path.write_bytes(data(code(""), code(IMPORT + ARRAY), code("a = 1"), code("a\nx[x > 0]")))
    assert command(tmp_path, "port.ipynb", "--baseline", "known.json").returncode == 0


def test_a_notebook_on_stdin(tmp_path: Path) -> None:
    content = data(code(IMPORT + ARRAY + "x.view(12)"))
    done = command(tmp_path, "--stdin-filename", "port.ipynb", "--fix", "-", stdin=content)
    assert done.stdout.encode() == content.replace(b"x.view", b"x.reshape")


@pytest.mark.parametrize("format", ["text", "concise", "json", "sarif", "github", "gitlab", "junit"])
def test_every_format_tells_the_cell(tmp_path: Path, format: str) -> None:
    (tmp_path / "port.ipynb").write_bytes(data(code(IMPORT + ARRAY), code("a = 1\nx.view(12)")))
    done = command(tmp_path, "port.ipynb", "--output-format", format)
    assert done.returncode == 1
    assert {"json": '"cell": 2', "gitlab": '"begin": 1'}.get(format, "cell 2:2:3") in done.stdout
    assert MARK not in done.stdout


# For any text

lines = st.text("ab =()[]{}%!?\\#'\"\n\t;,/", max_size=60)


@given(st.lists(lines, max_size=4))
def test_cells_are_joined_and_parted_again(texts: list[str]) -> None:
    joined = join(enumerate(texts, 1))
    parted = {cell.number: plain(joined[cell.start : cell.end]) for cell in cells_of(joined)}
    for number, text in parted.items():
        assert text == texts[number - 1] or text == texts[number - 1] + "\n"
    assert all("%%" in text for number, text in enumerate(texts, 1) if number not in parted)


@given(st.lists(lines, max_size=3))
def test_what_is_not_changed_is_written_as_it_was(texts: list[str]) -> None:
    content = data(*map(code, texts))
    source = Source.decode("port.ipynb", content)
    assert source.encode(source.text) == content


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_a_notebook_or_not(content: bytes) -> None:
    with suppress(UnreadableText):
        assert set(Notebook.decode(content).text) <= {"\n"}
