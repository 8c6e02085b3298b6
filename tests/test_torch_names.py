"""The table of PyTorch's names: every example is rewritten as recorded, and gives in MLX what it gave in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
from mlxlint.rules.api import _names, _proof

from mlxlint.dev.prove_names import in_mlx, rewritten

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
