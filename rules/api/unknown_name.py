from __future__ import annotations

import difflib
from functools import cache

import libcst as cst
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api.torch_name import is_missing

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.names import is_module
from mlxlint.model.tree import dotted
from mlxlint.model.values import Module, Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown


class UnknownName(Rule):
    """A name that an MLX module does not have

    ## What it does
    Finds names read or imported from a module of MLX or MLX-LM that has no such name in the release linted for. Code
    that asks first (`hasattr`, `try`, a test of the version) is left alone.

    ## PyTorch and MLX
    MLX's modules are smaller than PyTorch's and follow NumPy's names, and names come and go between releases. A missing
    one raises `AttributeError`, or `ImportError` where it is imported.

    ## Example
    ```python
    import mlx.core as mx

    z = mx.lgamma(mx.array([1.0, 2.5]))
    ```

    ## Use instead
    ```python
    import math

    import mlx.core as mx

    z = mx.array([math.lgamma(v) for v in (1.0, 2.5)])
    ```

    ## References
    - [MLX, Python API](https://ml-explore.github.io/mlx/build/html/index.html)
    """

    code = "MLX400"
    kind = Kind.CRASH
    severity = Severity.ERROR
    yields_to = ("gradient-context",)
    message = "`{module}` has no `{name}`{nearest}"

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value = context.value(node)
        if isinstance(value, Name) and value.receiver is None:
            self._check(value.name, node.attr, context)

    def visit_ImportFrom(self, node: cst.ImportFrom, context: Context) -> None:
        module = dotted(node.module) or ""
        if node.relative or (context.module.path is not None and context.module.path.suffix == ".pyi"):
            return  # a stub may name what only type checkers know
        if isinstance(node.names, cst.ImportStar) or module not in api.known_modules():
            return
        for alias in node.names:
            if isinstance(alias.name, cst.Name) and isinstance(context.value(alias), (Module, Name)):
                self._check(f"{module}.{alias.name.value}", alias, context)

    def _check(self, name: str, place: cst.CSTNode, context: Context) -> None:
        module, _, member = name.rpartition(".")
        if module not in api.known_modules() or member.startswith("_") or member in api.members(module):
            return
        if is_missing(name) or is_module(name) or module in _open_packages() or is_guarded(place, member, context):
            return
        entry = api.lookup(name)
        if entry is not None:
            self._report(place, module, member, f": its last release was {entry.releases.last}", context)
            return
        close = difflib.get_close_matches(member, sorted(api.members(module)), 1, 0.75)
        nearest = f"; the nearest name is `{close[0]}`" if close else ""
        self._report(place, module, member, nearest, context)

    def _report(self, place: cst.CSTNode, module: str, member: str, nearest: str, context: Context) -> None:
        context.report(
            self, place, module=module, name=member, nearest=nearest, repro={"module": module, "name": member}
        )

    @staticmethod
    def repro(module: str = "mlx.core", name: str = "lgamma") -> Evidence:
        import importlib

        found = importlib.import_module(module)
        names = [known for known in dir(found) if not known.startswith("_")]
        hazard = raises(lambda: getattr(found, name), AttributeError)
        return Evidence(hazard, shown(bool(names), f"{module} has {len(names)} names"))


@cache
def _open_packages() -> frozenset[str]:
    """The packages of MLX-LM that hold modules by the dozen, not all of them known."""
    parents = {name.rpartition(".")[0] for name in api.known_modules() if name.startswith("mlx_lm.")}
    return frozenset(parents - {"mlx_lm"})
