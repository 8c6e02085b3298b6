from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mlxlint.baseline import Baseline, BaselineError
from mlxlint.rule import Finding
from mlxlint.source import Source
from mlxlint.suppress import tool_finding

LINE = "  y  =  x[x > 0] "


def finding(path: Path, *, row: int = 1, code: str = "MLX101") -> Finding:
    source = Source(str(path), "\n" * 50)
    return replace(tool_finding("syntax-error", source, (row - 1, row - 1), {"reason": ""}), code=code)


def line(_: Finding) -> str:
    return LINE


def recorded(path: Path, *findings: Finding) -> Baseline:
    baseline = Baseline(str(path))
    baseline.record(findings, line)
    baseline.write()
    return Baseline.read(str(path))


def test_what_is_on_record_is_left_out_wherever_its_line_moved(tmp_path: Path) -> None:
    baseline = recorded(tmp_path / "b.json", finding(tmp_path / "a.py", row=3))
    assert baseline.filter([finding(tmp_path / "a.py", row=30)], lambda _: "y = x[x > 0]") == ([], Counter())


@pytest.mark.parametrize("change", ["rule", "file", "line", "count"])
def test_what_is_new_is_kept(tmp_path: Path, change: str) -> None:
    known = finding(tmp_path / "a.py")
    baseline = recorded(tmp_path / "b.json", known)
    new = {
        "rule": replace(known, code="MLX102"),
        "file": replace(known, path=str(tmp_path / "b.py")),
        "line": finding(tmp_path / "a.py", row=2),
        "count": finding(tmp_path / "a.py", row=9),
    }[change]
    kept, _ = baseline.filter([known, new], lambda f: "other" if change == "line" and f is new else LINE)
    assert kept == [new]


def test_equal_findings_are_counted(tmp_path: Path) -> None:
    findings = [finding(tmp_path / "a.py", row=row) for row in (1, 2, 3)]
    baseline = recorded(tmp_path / "b.json", *findings[:2])
    assert baseline.filter(findings, line)[0] == findings[2:]


def test_the_file_is_the_same_for_any_order(tmp_path: Path) -> None:
    codes = ("MLX201", "MLX101")
    findings = [finding(tmp_path / name, code=code) for name in ("sub/b.py", "a.py") for code in codes]
    recorded(tmp_path / "1.json", *findings)
    recorded(tmp_path / "2.json", *reversed(findings))
    text = (tmp_path / "1.json").read_text(encoding="utf-8")
    assert text == (tmp_path / "2.json").read_text(encoding="utf-8")
    last = {"path": "sub/b.py", "rule": "MLX201", "line": "y = x[x > 0]", "count": 1}
    assert json.loads(text)["findings"][-1] == last


def test_paths_are_relative_to_the_baseline(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    baseline = recorded(tmp_path / "config" / "b.json", finding(tmp_path / "a.py"))
    assert [entry.path for entry in baseline.entries] == ["../a.py"]


def test_a_failure_of_the_tool_is_never_on_record(tmp_path: Path) -> None:
    broken = finding(tmp_path / "a.py", code="MLX002")
    baseline = recorded(tmp_path / "b.json", broken)
    assert baseline.filter([broken], line)[0] == [broken]


def test_stale_entries_are_those_of_files_checked_or_gone(tmp_path: Path) -> None:
    (tmp_path / "unchecked.py").touch()
    names = ("checked.py", "gone.py", "unchecked.py")
    baseline = recorded(tmp_path / "b.json", *(finding(tmp_path / name) for name in names))
    _, left = baseline.filter([], line)
    checked = [str(tmp_path / "checked.py")]
    assert baseline.stale(left, checked, {"MLX101"}) == 2
    assert baseline.stale(left, checked, {"MLX102"}) == 0


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", '{"version": 1}', '{"version": 2, "findings": []}', '{"version": 1, "findings": [{}]}'],
)
def test_a_file_that_is_no_baseline(tmp_path: Path, text: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BaselineError, match=r"b\.json: (not a )?baseline"):
        Baseline.read(str(path))


def test_a_missing_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"b\.json: No such file"):
        Baseline.read(str(tmp_path / "b.json"))


def test_a_baseline_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="No such file"):
        Baseline(str(tmp_path / "nosuch" / "b.json")).write()
