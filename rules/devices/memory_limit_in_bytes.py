from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, constant, scalar_type
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

_NAMES = frozenset({"set_memory_limit", "set_cache_limit", "set_wired_limit"})
_FEW = 1 << 20


class MemoryLimitInBytes(Rule):
    """A memory limit is not a whole number of bytes

    ## What it does
    Finds `mx.set_memory_limit`, `mx.set_cache_limit` and `mx.set_wired_limit` with a float (`8e9`, `0.8 * total`) or
    with a number so small that gigabytes or megabytes must be meant. Zero switches off, and is left alone.

    ## PyTorch and MLX
    `torch.mps.set_per_process_memory_fraction` and its like take a fraction. MLX's limits are integers and count bytes:
    a float raises `TypeError`, and a limit of a few bytes is accepted and slows everything down.

    ## Example
    ```python
    import mlx.core as mx

    mx.set_cache_limit(2e9)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.set_cache_limit(2 * 1024**3)
    ```

    ## Fix safety
    Safe: a float is put into `int(...)`. What a small number means is left to you.

    ## References
    - [Memory management](https://ml-explore.github.io/mlx/build/html/python/memory_management.html)
    """

    code = "MLX604"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = _NAMES
    message = "`{limit}` is a float, and `{function}` takes a whole number of bytes"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        name = callee.rpartition(".")[2]
        if callee not in (f"mlx.core.{name}", f"mlx.core.metal.{name}"):
            return
        limit = context.argument(node, 0, "limit")
        if limit is None:
            return
        value = context.value(limit)
        size = constant(value, int)
        if scalar_type(value) == "float" or (value is UNKNOWN and _is_share(limit, context)):
            fix = NodeFix("Round it", [Replace(limit, f"int({context.text(limit)})")])
            context.report(
                self, limit, because=[limit], limit=context.brief(limit), function=name, fix=fix, repro={"name": name}
            )
        elif isinstance(size, int) and 0 < size < _FEW:
            context.report(
                self, limit, template="a limit of {size} bytes: `{function}` counts bytes", size=size, function=name,
                severity=Severity.WARNING, repro={"name": name, "small": True},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "set_cache_limit", small: bool = False) -> Evidence:
        import mlx.core as mx

        set_limit = getattr(mx, name)
        before = set_limit(1 << 30)
        try:
            if small:
                set_limit(2)
                kept = set_limit(1 << 30)
                hazard = shown(kept == 2 or name == "set_wired_limit", f"a limit of 2 is taken as {kept} bytes")
            else:
                hazard = raises(lambda: set_limit(8e9), TypeError)
            set_limit(int(8e9))
            return Evidence(hazard, shown(True, "int(8e9) is taken"))
        finally:
            set_limit(before)


def _is_share(node: cst.BaseExpression, context: Context) -> bool:
    """Whether something that is not known is multiplied by a fraction, or divided: `total * 0.8`."""
    if not isinstance(node, cst.BinaryOperation):
        return False
    kinds = {scalar_type(context.value(side)) for side in (node.left, node.right)}
    return isinstance(node.operator, cst.Divide) or (isinstance(node.operator, cst.Multiply) and "float" in kinds)
