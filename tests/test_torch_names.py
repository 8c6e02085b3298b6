"""The table of PyTorch's names: every example is rewritten as recorded, and gives in MLX what it gave in PyTorch."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from mlxlint.dev.prove_names import in_mlx, rewritten
from mlxlint.dev.torch_usage import RECORD
from mlxlint.registry import by_name
from mlxlint.rules.api import _names, _proof

COVERED = 600  # names used most in real code
UNPROVEN = {"cuda", "pin_memory"}  # PyTorch needs a GPU for these
EXAMPLES = [(name, row) for name, rows in _proof.record()["examples"].items() for row in rows]

every_example = pytest.mark.parametrize("row", [row for _, row in EXAMPLES], ids=[row["torch"] for _, row in EXAMPLES])


@every_example
def test_example_is_rewritten_as_recorded(row: dict[str, Any]) -> None:
    assert rewritten(in_mlx(row["torch"])) == row["mlx"]


@every_example
def test_example_gives_what_pytorch_gave(row: dict[str, Any]) -> None:
    pytest.importorskip("mlx.core")
    observed = _proof.compared(_proof.run(row["mlx"]), row["result"])
    assert observed.holds, observed.text


def test_what_is_said_to_agree_is_proven() -> None:
    proven = {row["torch"] for _, row in EXAMPLES}
    unproven = {
        f"{section}.{name}"
        for section, entries in _names.table().items()
        for name, entry in entries.items()
        for form in entry.forms
        if form.exact and form.parameters is not None and form.example not in proven and name not in UNPROVEN
    }
    assert not unproven


@pytest.mark.parametrize("section", _names.table())
def test_what_is_advised_is_there(section: str) -> None:
    pytest.importorskip("mlx.core")
    for name in _names.table()[section]:
        observed = _proof.remedy(section, name)
        assert observed.holds, (name, observed.text)


def test_the_names_used_most_are_covered() -> None:
    uses = json.loads(RECORD.read_text(encoding="utf-8"))["uses"]
    assert len(uses) >= COVERED
    assert [name for name in list(uses)[:COVERED] if not is_covered(*name.split("."))] == []


def is_covered(section: str, name: str) -> bool:
    in_place = _names.in_place(name) if section == "tensor" else None
    return in_place is not None or name in _names.table()[section] or name in _names.shared().get(section, {})


def test_what_is_shared_is_the_same_as_recorded_or_told_to_differ() -> None:
    record = _proof.record()
    for section, names in _names.shared().items():
        assert not names.keys() & _names.table()[section].keys()
        for name, row in names.items():
            kind = "differences" if "differs" in row or "say" in row else "examples"
            if "try" in row:
                assert [seen["torch"] for seen in record[kind][f"{section}.{name}"]] == [row["try"]]
            else:
                assert kind == "differences"
                assert row["shown"].keys() <= inspect.signature(by_name()[row["differs"]].repro).parameters.keys()


SHOWN = [
    (f"{section}.{name}", row)
    for section, names in _names.shared().items()
    for name, row in names.items()
    if "shown" in row
]


@pytest.mark.parametrize("row", [row for _, row in SHOWN], ids=[name for name, _ in SHOWN])
def test_what_is_told_to_differ_is_shown_by_its_rule(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlx.core")
    monkeypatch.chdir(tmp_path)
    repro = by_name()[row["differs"]].repro
    assert repro is not None
    evidence = repro(**row["shown"])
    assert evidence.hazard.holds, evidence.hazard.text
    assert evidence.remedy.holds, evidence.remedy.text


DIFFERENCES = [(name, row) for name, rows in _proof.record()["differences"].items() for row in rows]


@pytest.mark.parametrize("row", [row for _, row in DIFFERENCES], ids=[name for name, _ in DIFFERENCES])
def test_what_differs_does_not_give_what_pytorch_gave(row: dict[str, Any]) -> None:
    pytest.importorskip("mlx.core")
    try:
        got = _proof.run(row["mlx"])
    except (AttributeError, TypeError, ValueError):
        return
    assert not _proof.compared(got, row["result"]).holds
