"""Calls that hand work to other threads."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context

STARTING = frozenset({"Thread", ".submit", ".map", ".run_in_executor", "to_thread"})  # for `calls`


def work_of(node: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The function that a call hands to another thread."""
    callee = context.callee(node)
    if callee == "threading.Thread":
        return context.argument(node, 1, "target")
    if callee == "asyncio.to_thread":
        return context.argument(node, 0, "func")
    if not isinstance(node.func, cst.Attribute) or not context.frameworks & {"concurrent", "asyncio"}:
        return None
    place = 1 if node.func.attr.value == "run_in_executor" else 0
    is_method = node.func.attr.value in ("submit", "map", "run_in_executor")
    return node.args[place].value if is_method and len(node.args) > place and not node.args[place].star else None
