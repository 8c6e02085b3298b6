"""What the inference knows, stated on the lines themselves: ``y = mx.zeros((2, 3))  # : float32 array (2, 3)``.

The comment gives the value of what the line assigns or, for an expression statement, of the expression. Files of a
folder import one another. A line without a comment states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import libcst as cst
import pytest

from mlxlint.model import values as v
from mlxlint.model.project import Project
from mlxlint.positions import offsets
from mlxlint.source import Source

HERE = Path(__file__).parent / "inference"
STATED = re.compile(r"#: (.+)$")


def spell(value: v.Value) -> str:
    """A value in the words of the fixtures."""
    if isinstance(value, v.Either):
        return " | ".join(sorted(spell(m) for m in value.members))
    if isinstance(value, v.Array):
        parts = [
            value.dtype or "",
            "array",
            "" if value.shape is None else spell_shape(value.shape),
            value.layout or "",
        ]
        return " ".join(p for p in parts if p)
    if isinstance(value, v.Foreign):
        return " ".join(p for p in (value.dtype or "", value.type) if p)
    if isinstance(value, v.Const):
        return repr(value.value)
    if isinstance(value, v.Scalar):
        return value.type
    if isinstance(value, (v.Name, v.Module)):
        return value.name
    if isinstance(value, v.Instance):
        return value.type.rpartition(".")[2] + "()" if value.code else value.type + "()"
    if isinstance(value, v.Sequence):
        inner = ", ".join(spell(i) for i in value.items) if value.items is not None else spell(value.element) + "..."
        return f"{value.kind}[{inner}]"
    if isinstance(value, v.Dict):
        return "dict{" + ", ".join(f"{k}: {spell(i)}" for k, i in value.items.items()) + "}"
    if isinstance(value, v.Tree):
        return value.kind
    return type(value).__name__.lower()


def spell_shape(shape: v.Shape) -> str:
    sizes = [str(s) if isinstance(s, int) else s.name or "?" if isinstance(s, v.Dim) else "?" for s in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def stated(path: Path) -> Iterator[tuple[int, str, str]]:
    source = Source.decode(str(path), path.read_bytes())
    project = Project()
    module = project.module(source, path)
    project.analyse(module)
    wanted = {n: _subject(n) for n in module.values if isinstance(n, (cst.Assign, cst.Expr, cst.Return, cst.AnnAssign))}
    places = offsets(module.concrete, wanted, source.text)
    by_row = {source.position(places[n][1]).row: s for n, s in wanted.items() if n in places and s is not None}
    for row, line in enumerate(source.text.splitlines(), 1):
        match = STATED.search(line)
        if match:
            yield row, match[1].strip(), spell(module.values.get(by_row[row], v.UNKNOWN))


def _subject(node: cst.CSTNode) -> cst.CSTNode | None:
    return getattr(node, "value", None)


@pytest.mark.parametrize("path", sorted(HERE.rglob("*.py")), ids=lambda p: p.relative_to(HERE).as_posix())
def test_values_are_as_stated(path: Path) -> None:
    wrong = [f"line {row}: stated {want!r}, inferred {got!r}" for row, want, got in stated(path) if want != got]
    assert not wrong, "\n" + "\n".join(wrong)


def test_fixtures_state_something() -> None:
    assert sum(1 for path in HERE.rglob("*.py") for _ in stated(path)) > 100
