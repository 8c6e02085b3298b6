from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, explain
from mlxlint.model.values import Name
from mlxlint.rule import Evidence, Fixable, Kind, Rule, Severity, raises
from mlxlint.rules.api import _names, _proof
from mlxlint.rules.api._guards import is_guarded

SECTIONS = {
    "mlx.core": "core", "mlx.core.random": "random", "mlx.nn": "nn", "mlx.nn.utils": "nn_utils", "mlx.nn.init": "init",
    "mlx.optimizers": "optim", "mlx.core.cuda": "cuda", "mlx.core.distributed": "distributed",
}  # fmt: skip
FUNCTIONAL = "mlx.nn.functional"


class TorchName(Rule):
    """A name of PyTorch that MLX's module does not have

    ## What it does
    Finds functions, classes, dtypes and modules of PyTorch looked for in the MLX module of the like name: `mx.cat`,
    `mx.randn_like`, `mx.long`, `nn.ModuleList`, `nn.BatchNorm2d`, `nn.functional`, `optim.lr_scheduler`, ...

    ## PyTorch and MLX
    `mlx.core` follows NumPy's names, `mlx.nn` has one class for several of PyTorch's and keeps losses and initialisers
    in modules of their own, and plain lists and dicts hold modules. A name that is not there raises `AttributeError`,
    or `ImportError` where it is imported.

    ## Example
    ```python
    import mlx.core as mx

    a = mx.zeros((2, 3))
    joined = mx.cat([a, a], dim=-1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a = mx.zeros((2, 3))
    joined = mx.concatenate([a, a], axis=-1)
    ```

    ## Fix safety
    Safe where the two are known to agree. Unsafe for layers, whose channels come last in MLX, and for what agrees on
    usual values only.

    ## References
    - [mlx.core](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    - [mlx.nn](https://ml-explore.github.io/mlx/build/html/python/nn.html)
    """

    code = "MLX401"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX has no `{name}`: {instead}"
    attributes = frozenset({"Module.*", "Name.*", "Class.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value = context.value(node)
        if isinstance(value, Name) and value.receiver is None and is_missing(value.name, context):
            self._report(node, value.name, node.attr, context)

    def visit_ImportAlias(self, node: cst.ImportAlias, context: Context) -> None:
        value = context.value(node)
        if isinstance(value, Name) and is_missing(value.name, context) and isinstance(node.name, cst.Name):
            self._report(node.name, value.name, node, context)

    def _report(self, use: cst.BaseExpression, name: str, place: cst.CSTNode, context: Context) -> None:
        outer = context.parent(use)
        section = SECTIONS[name.rpartition(".")[0]]
        if name == FUNCTIONAL and isinstance(outer, cst.Attribute):
            use, name, section = outer, f"{FUNCTIONAL}.{outer.attr.value}", "functional"
        member = name.rpartition(".")[2]
        entry = _names.section(section).get(member) or _names.section("nn")["functional"]
        if is_guarded(place, member, context):
            return
        rewrite = None if isinstance(outer, cst.ImportAlias) else _names.rewrite(entry, use, None, context)
        context.report(
            self, place, name=explain.short(name), instead=_names.instead(entry, rewrite, context),
            fix=rewrite.fix(certain=True) if rewrite is not None else None, repro={"section": section, "name": member},
        )  # fmt: skip

    @staticmethod
    def repro(section: str = "core", name: str = "cat") -> Evidence:
        import importlib

        modules = {section: module for module, section in SECTIONS.items()} | {"functional": FUNCTIONAL}
        hazard = raises(lambda: getattr(importlib.import_module(modules[section]), name), AttributeError, ImportError)
        return Evidence(hazard, _proof.remedy(section, name))


def is_missing(name: str, context: Context) -> bool:
    """Whether a qualified name is one that PyTorch has and MLX, in the releases linted for, has not."""
    scope, _, member = name.rpartition(".")
    section = SECTIONS.get(scope)
    if section is None or member in api.members(scope):
        return False
    return member not in api.members(scope, context.target(name).newest) and member in _names.section(section)
