"""Which process of several a piece of code is run by."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk

from ..kernels._flow import last_bound

GROUP = "mlx.core.distributed.Group"
COLLECTIVES = frozenset({"all_sum", "all_max", "all_min", "all_gather", "sum_scatter"})


def is_rank(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is the number of this process."""
    if not context.shared(_asks_for_ranks, context.tree):
        return False
    made = last_bound(node, context) if isinstance(node, cst.Name) else node
    if isinstance(node, cst.Attribute):
        made = _stored(node, context)
    return isinstance(made, cst.Call) and context.callee(made) == GROUP + ".rank"


def _asks_for_ranks(module: cst.CSTNode, context: Context) -> bool:
    return any(context.callee(call) == GROUP + ".rank" for call in context.module.calls)


def _stored(node: cst.Attribute, context: Context) -> cst.BaseExpression | None:
    """What a class stores in an attribute of its objects; None when that is not one assignment."""
    owner, path = context.enclosing_class(node), dotted(node)
    assignments = (part for part in walk(owner.node) if isinstance(part, cst.Assign)) if owner is not None else ()
    found = [part.value for part in assignments if dotted(part.targets[0].target) == path]
    return found[0] if len(found) == 1 else None


def for_one_rank(node: cst.CSTNode, context: Context) -> cst.If | None:
    """The `if` around a place that lets a single process in: `if rank == 0`."""
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            return None
        if isinstance(ancestor, cst.If) and isinstance(ancestor.test, cst.Comparison):
            compares = [c for c in ancestor.test.comparisons if isinstance(c.operator, cst.Equal)]
            if compares and any(is_rank(s, context) for s in (ancestor.test.left, compares[0].comparator)):
                inside = any(part is node for part in walk(ancestor.body))
                return ancestor if inside else None
    return None


def is_collective(name: str | None) -> bool:
    return name is not None and name.startswith("mlx.core.distributed.") and name.rpartition(".")[2] in COLLECTIVES
