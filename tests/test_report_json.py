"""The JSON report: its shape is a contract."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import ROOT, TEXT, finding, full, report

from mlxlint.notebook import join
from mlxlint.report import FORMATS, ReportContext, write
from mlxlint.rule import Applicability, Edit, Fix, Position, Severity


def test_a_finding_with_everything() -> None:
    assert json.loads(report("json", full())) == [
        {
            "code": "MLX101",
            "name": "boolean-mask-read",
            "message": "`x[mask]` reads through a mask",
            "filename": str(ROOT / "model.py"),
            "location": {"row": 4, "column": 8},
            "end_location": {"row": 4, "column": 15},
            "cell": None,
            "severity": "error",
            "confidence": "certain",
            "fix": {
                "applicability": "safe",
                "message": "Use `mx.where`",
                "edits": [
                    {
                        "content": "mx.where(mask, x, 0)",
                        "location": {"row": 4, "column": 8},
                        "end_location": {"row": 4, "column": 15},
                    }
                ],
            },
            "url": "https://example.org/boolean-mask-read/",
            "noqa_row": 4,
            "verification": {
                "status": "confirmed",
                "device": "cpu",
                "mlx": "0.32.4",
                "evidence": "ValueError: boolean indices",
                "reason": None,
            },
        }
    ]


def test_a_finding_without_fix_and_verification() -> None:
    [entry] = json.loads(report("json", finding()))
    assert entry["fix"] is None
    assert entry["verification"] is None


def test_nothing_found() -> None:
    assert json.loads(report("json")) == []


def test_the_row_for_noqa_is_the_last_of_the_statement() -> None:
    [entry] = json.loads(report("json", finding(statement=(3, 9))))
    assert entry["noqa_row"] == 9


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_edits_have_rows_and_columns(newline: str) -> None:
    text = f"a = 1{newline}b = '日本'; c = 2{newline}d = 3"
    edits = (Edit(text.index("c"), text.index("d"), ""), Edit(len(text), len(text), "!"))
    [entry] = json.loads(report("json", finding(text, "b", fix=Fix("", Applicability.SAFE, edits)), sources=text))
    assert [(edit["location"], edit["end_location"]) for edit in entry["fix"]["edits"]] == [
        ({"row": 2, "column": 11}, {"row": 3, "column": 1}),
        ({"row": 3, "column": 6}, {"row": 3, "column": 6}),
    ]


def test_edits_in_a_notebook_count_from_their_cell() -> None:
    text = join([(1, "import mlx.core as mx\n"), (3, "x = mx.zeros(3)\nkept = x[mask]")])
    edits = [Edit(text.index(word), text.index(word) + 4, "k") for word in ("core", "kept")]
    start = Position(2, 8)
    in_cell = finding(text, cell=3, start=start, end=start, fix=Fix("", Applicability.SAFE, tuple(edits)))
    [entry] = json.loads(report("json", in_cell, sources=text))
    assert entry["cell"] == 3
    places = [(edit["cell"], edit["location"]) for edit in entry["fix"]["edits"]]
    assert places == [(1, {"row": 1, "column": 12}), (3, {"row": 2, "column": 1})]


def test_a_fix_in_a_file_that_cannot_be_read_any_more_is_left_out() -> None:
    [entry] = json.loads(report("json", full(), sources=None))
    assert entry["fix"] is None


@pytest.mark.parametrize(
    ("path", "filename"),
    [
        ("model.py", str(ROOT / "model.py")),
        ("../other/./model.py", str(ROOT.parent / "other" / "model.py")),
        (str(ROOT / "sub" / "model.py"), str(ROOT / "sub" / "model.py")),
        ("-", "-"),
        ("<stdin>", "<stdin>"),
    ],
)
def test_filenames_are_absolute(path: str, filename: str) -> None:
    [entry] = json.loads(report("json", finding(path=path)))
    assert entry["filename"] == filename


ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_is_valid_json_in_ascii(message: str, name: str) -> None:
    written = report("json", finding(message=message, path=f"{name}.py", fix=Fix(message, Applicability.SAFE, ())))
    [entry] = json.loads(written.encode("ascii"))
    entry["message"].encode("utf-8")
    entry["filename"].encode("utf-8")
    assert len(entry["message"]) == len(message)


def test_statistics() -> None:
    findings = [finding(code="MLX401", name="view", severity=Severity.INFO), full(), finding()]
    assert json.loads(report("json", *findings, statistics=True)) == [
        {
            "code": "MLX101",
            "name": "boolean-mask-read",
            "severity": "error",
            "count": 2,
            "fixable": True,
            "fixable_count": 1,
        },
        {"code": "MLX401", "name": "view", "severity": "info", "count": 1, "fixable": False, "fixable_count": 0},
    ]


@pytest.mark.parametrize("format", ["sarif", "github", "gitlab", "junit"])
def test_formats_without_statistics_say_so(format: str) -> None:
    with pytest.raises(ValueError, match=f"`{format}` has no statistics"):
        report(format, finding(), statistics=True)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown output format `yaml`"):
        report("yaml")


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_asks_for_a_text_once(format: str) -> None:
    asked: list[str] = []

    def sources(path: str) -> str:
        asked.append(path)
        return TEXT

    write(format, [full()] * 3, ReportContext(sources, 1, Path.cwd()), io.StringIO())
    assert len(asked) <= 1
