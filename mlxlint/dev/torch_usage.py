"""Count which of PyTorch's names packages use: ``python -m mlxlint.dev.torch_usage FOLDER...``.

Each folder holds one package, unpacked; it is parsed, not imported. Functions, classes and values are found through
the imports of each file, tensor methods by their name alone, where nothing but tensors has one of that name. The names
used most, with how often, are kept in ``mlxlint/data/torch-usage.json``. Needs torch, to know which names there are.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

RECORD = Path(__file__).parent.parent / "data" / "torch-usage.json"
SECTIONS = {  # of the table of names, by the module whose names are counted for it
    "torch": "core", "torch.nn": "nn", "torch.nn.functional": "functional", "torch.nn.init": "init",
    "torch.nn.utils": "nn_utils", "torch.optim": "optim",
}  # fmt: skip
OF_OTHERS = (str, bytes, list, tuple, dict, set, int, float, complex, Path, object)  # whose attributes say nothing
KEPT = 700


class Uses(ast.NodeVisitor):
    """The names of PyTorch that one file uses."""

    def __init__(self, methods: frozenset[str]) -> None:
        self.methods = methods
        self.aliases: dict[str, str] = {}
        self.found: Counter[str] = Counter()

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] == "torch":
                self.aliases[alias.asname or "torch"] = alias.name if alias.asname else "torch"

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if not node.level and (node.module or "").partition(".")[0] == "torch":
            for alias in node.names:
                self.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._qualified(node)
        if name is not None:
            self._count(name)
            return
        if node.attr in self.methods:
            self.found[f"tensor.{node.attr}"] += 1
        self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id in self.aliases:
            self._count(self.aliases[node.id])

    def _qualified(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id)
        owner = self._qualified(node.value) if isinstance(node, ast.Attribute) else None
        return f"{owner}.{node.attr}" if owner is not None and isinstance(node, ast.Attribute) else None

    def _count(self, name: str) -> None:
        scope, _, member = name.rpartition(".")
        if scope in SECTIONS:
            self.found[f"{SECTIONS[scope]}.{member}"] += 1
        elif scope == "torch.Tensor" and member in self.methods:
            self.found[f"tensor.{member}"] += 1


def tensor_methods() -> frozenset[str]:
    """The public attributes of tensors that common objects of Python and modules do not have."""
    import torch

    others = {name for kind in (*OF_OTHERS, torch.nn.Module, torch.optim.Optimizer) for name in dir(kind)}
    return frozenset(name for name in dir(torch.Tensor) if not name.startswith("_") and name not in others)


def existing(name: str, sections: dict[str, Any]) -> bool:
    """Whether a counted name is a function, class or value of PyTorch: neither a module nor something for typing."""
    section, _, member = name.partition(".")
    found = getattr(sections.get(section), member, None)
    if section == "tensor" or type(found).__name__ == "module":
        return section == "tensor"
    return found is not None and not member.startswith("_")


def counted(folders: Iterable[Path]) -> Counter[str]:
    """How often each name is used in the Python files of some folders."""
    methods = tensor_methods()
    total: Counter[str] = Counter()
    for tree in _trees(folders):
        uses = Uses(methods)
        uses.visit(tree)
        if uses.aliases:
            total.update(uses.found)
    sections = {section: import_module(module) for module, section in SECTIONS.items()}
    return Counter({name: count for name, count in total.items() if existing(name, sections)})


def _trees(folders: Iterable[Path]) -> Iterator[ast.Module]:
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "torch" in text:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    yield ast.parse(text)
                except SyntaxError:
                    continue


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    total = counted(folders)
    packages = ", ".join(json.dumps(folder.name) for folder in folders)
    rows = ",\n".join(f"  {json.dumps(name)}: {count}" for name, count in total.most_common(KEPT))
    RECORD.write_text(f'{{\n "packages": [{packages}],\n "uses": {{\n{rows}\n}}}}\n', encoding="utf-8")
    click.echo(f"{len(total)} names used, the {min(KEPT, len(total))} used most kept")


if __name__ == "__main__":
    main()
