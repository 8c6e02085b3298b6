from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.tree import dotted
from mlxlint.model.values import Name, constant
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    shown,
)
from mlxlint.rules._shared import python_like_this

_METAL = "mlx.core.metal."
_SAME_BUT_DEVICE = "device_info"  # the old one tells of the GPU, the new one of the default device
_VERSION = re.compile("version", re.IGNORECASE)


class DeprecatedMetalFunction(Rule):
    """A memory or device function is taken from `mx.metal`, which is deprecated

    ## What it does
    Finds uses and imports of the functions of `mx.metal` that MLX has moved to `mx`: `clear_cache`, `device_info`,
    `get_active_memory`, `get_cache_memory`, `get_peak_memory`, `reset_peak_memory`, `set_cache_limit`,
    `set_memory_limit` and `set_wired_limit`. The branch for older releases, beside a test such as
    `hasattr(mx, "clear_cache")`, is left alone.

    ## PyTorch and MLX
    The functions work on every device since MLX 0.24, and `mx.device_info` since 0.30.4. The old names print a notice
    to standard error once a process, past Python's `warnings`, so that no test run with `-W error` sees it, and a later
    release takes them away.

    ## Example
    ```python
    import mlx.core as mx

    mx.metal.clear_cache()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.clear_cache()
    ```

    ## Fix safety
    Safe but for `device_info`, which described the GPU and now describes the default device.

    ## References
    - [Memory management](https://ml-explore.github.io/mlx/build/html/python/memory_management.html)
    """

    code = "MLX600"
    kind = Kind.DEPRECATED
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"getattr"})
    message = "`mx.metal.{name}` is deprecated: it is `mx.{name}` now{release}"
    attributes = frozenset({"Module.*", "Name.*"})

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        name = _moved(node.attr.value, context)
        if name is not None and _is_old(node, name, context) and not _has_a_newer_branch(node, name, context):
            self._report(node, name, _fix(node, name, context), context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) != 2 or context.callee(node) != "builtins.getattr":
            return
        name = _moved(constant(context.value(node.args[1].value), str), context)
        if name is not None and _is_old(node, name, context) and not _has_a_newer_branch(node, name, context):
            self._report(node, name, None, context)

    def visit_ImportFrom(self, node: cst.ImportFrom, context: Context) -> None:
        if dotted(node.module) != _METAL[:-1] or node.module is None or isinstance(node.names, cst.ImportStar):
            return
        names = [alias.evaluated_name for alias in node.names]
        moves = all(_moved(name, context) and name != _SAME_BUT_DEVICE for name in names)
        fix = NodeFix("Import from `mlx.core`", [Replace(node.module, "mlx.core")]) if moves else None
        for alias, name in zip(node.names, names, strict=True):
            if _moved(name, context) and not _has_a_newer_branch(node, name, context):
                self._report(alias, name, fix, context)

    def _report(self, node: cst.CSTNode, name: str, fix: NodeFix | None, context: Context) -> None:
        newest = context.target_mlx.newest
        release = f", in MLX {newest}" if newest else ""
        context.report(self, node, name=name, release=release, fix=fix, repro={"name": name})

    @staticmethod
    def repro(name: str = "clear_cache") -> Evidence:
        import subprocess

        def notice(call: str) -> str:
            argument = "(1 << 30)" if name.startswith("set_") else "()"
            script = f"import mlx.core as mx; {call}{argument}"
            done = subprocess.run(python_like_this(script), capture_output=True, text=True, check=True)
            return done.stderr.strip() or "no notice"

        old, new = notice(f"mx.metal.{name}"), notice(f"mx.{name}")
        return Evidence(shown("deprecated" in old, old), shown("deprecated" not in new, f"mx.{name}: {new}"))


def _moved(name: str | None, context: Context) -> str | None:
    """The name, if it is a deprecated one of ``mx.metal`` that ``mlx.core`` has too in all releases linted for."""
    entry = api.lookup(_METAL + name) if name is not None and name in api.members(_METAL[:-1]) else None
    if entry is None or not entry.deprecated or not context.target_mlx.has_throughout(f"mlx.core.{name}"):
        return None
    return name


def _is_old(node: cst.BaseExpression, name: str, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Name) and value.name == _METAL + name


def _fix(node: cst.Attribute, name: str, context: Context) -> NodeFix | None:
    written = isinstance(node.value, cst.Attribute) and node.value.attr.value == "metal"
    core = context.text(node.value.value) if isinstance(node.value, cst.Attribute) and written else None
    core = core or context.alias("mlx.core")
    if core is None:
        return None
    applicability = Applicability.UNSAFE if name == _SAME_BUT_DEVICE else Applicability.SAFE
    return NodeFix(f"Use `{core}.{name}`", [Replace(node, f"{core}.{name}")], applicability)


def _has_a_newer_branch(node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether the old function is there for releases that lack the new one."""
    child = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, (cst.If, cst.IfExp)) and _VERSION.search(context.text(ancestor.test)):
            return True
        if isinstance(ancestor, cst.Try) and child in ancestor.handlers and _uses_new(ancestor.body, name, context):
            return True
        child = ancestor
    return any(
        len(call.args) >= 2
        and constant(context.value(call.args[1].value), str) == name
        and context.qualified(call.args[0].value) == "mlx.core"
        for call in context.module.calls
        if isinstance(call.func, cst.Name) and call.func.value in ("hasattr", "getattr")
    )


def _uses_new(body: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether the new function is read or imported in the body of a ``try``."""
    return any(
        context.qualified(node) == f"mlx.core.{name}"
        for node in context.walk(body)
        if isinstance(node, (cst.Attribute, cst.Name, cst.ImportAlias))
    )
