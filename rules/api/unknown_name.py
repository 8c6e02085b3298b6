from __future__ import annotations

from functools import cache

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.names import is_module
from mlxlint.model.tree import dotted
from mlxlint.model.values import Class, Module, Name, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._nearest import nearest
from mlxlint.rules.api.torch_name import is_missing


class UnknownName(Rule):
    """A name that an MLX module does not have

    ## What it does
    Finds names read or imported from a module of MLX or MLX-LM, or read from a class of MLX's, that has no such name in
    the release linted for. Code that asks first (`hasattr`, `try`, a test of the version) is left alone.

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
    yields_to = ("gradient-context", "torch-layer-attribute")
    message = "`{module}` has no `{name}`{nearest}"
    attributes = frozenset({"Module.*", "Name.*", "Class.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value = context.value(node)
        if isinstance(value, Name) and value.receiver is None and not _is_of_others(context.value(node.value)):
            self._check(value.name, node.attr, context)

    def visit_ImportFrom(self, node: cst.ImportFrom, context: Context) -> None:
        module = dotted(node.module) or ""
        if node.relative or (context.module.path is not None and context.module.path.suffix == ".pyi"):
            return  # a stub may name what only type checkers know
        if isinstance(node.names, cst.ImportStar) or not module.startswith("mlx"):
            return
        for alias in node.names:
            if isinstance(alias.name, cst.Name) and isinstance(context.value(alias), (Module, Name)):
                self._check(f"{module}.{alias.name.value}", alias, context)

    def _check(self, name: str, place: cst.CSTNode, context: Context) -> None:
        module, _, member = name.rpartition(".")
        if member.startswith("_") or not (module in api.known_modules() or _is_class(module)):
            return
        target = context.target(name)
        absence = target.lacking(name)
        if absence is None or is_missing(name, context) or module in _open_packages():
            return
        entry = api.lookup(name)
        if (entry is None and is_module(name)) or is_guarded(place, member, context):
            return
        context.report(
            self, place, severity=None if absence.throughout else Severity.WARNING, module=module, name=member,
            nearest=absence.clause(entry) + _instead(module, member, target.newest if absence.throughout else None),
            repro={"module": module, "name": member},
        )  # fmt: skip

    @staticmethod
    def repro(module: str = "mlx.core", name: str = "lgamma") -> Evidence:
        import pkgutil

        found = pkgutil.resolve_name(module)
        names = [known for known in dir(found) if not known.startswith("_")]
        hazard = raises(lambda: getattr(found, name), AttributeError)
        return Evidence(hazard, shown(bool(names), f"{module} has {len(names)} names"))


def _is_of_others(value: Value) -> bool:
    """Whether a class has bases from other libraries as well, which may have the member."""
    bases = value.code.ancestry()[1] if isinstance(value, Class) else []
    return any(not base.startswith(("mlx.", "mlx_lm.", "builtins.", "typing.", "abc.")) for base in bases)


def _is_class(name: str) -> bool:
    """Whether this is a class of MLX's whose members are known."""
    entry = api.lookup(name) if name.startswith("mlx.") else None
    return entry is not None and entry.kind == "class" and bool(api.members(name))


def _instead(module: str, member: str, release: str | None) -> str:
    """Where a name is found in a release, or which one comes near."""
    package = module.partition(".")[0]
    modules = sorted(known for known in api.known_modules(release) if known.partition(".")[0] == package)
    moved = [known for known in modules if known != module and member in api.members(known, release)]
    if len(moved) == 1:
        return f"; `{moved[0]}` has one"
    close = nearest(member, sorted(api.members(module, release)), 0.75)
    return f"; the nearest name is `{close}`" if close not in (None, member) else ""


@cache
def _open_packages() -> frozenset[str]:
    """The packages of MLX-LM that hold modules by the dozen, not all of them known."""
    parents = {name.rpartition(".")[0] for name in api.known_modules() if name.startswith("mlx_lm.")}
    return frozenset(parents - {"mlx_lm"})
