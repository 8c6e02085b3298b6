"""What PyTorch answers with a view of an array and MLX with a new one."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Const, Scalar, constant, members
from mlxlint.rules._operations import operation

VIEWS = frozenset(
    """reshape flatten unflatten squeeze expand_dims transpose swapaxes moveaxis split broadcast_to diagonal diag
    stop_gradient asarray contiguous permute_dims atleast_1d atleast_2d atleast_3d unstack""".split()
)
VIEW_ATTRIBUTES = frozenset({"T", "mT"})


def copied_from(node: cst.CSTNode | None, context: Context) -> cst.BaseExpression | None:
    """The array of which an expression would be a view in PyTorch; None when it is not one, or not of an array."""
    source: cst.BaseExpression | None = None
    if (isinstance(node, cst.Subscript) and _basic(node, context)) or (
        isinstance(node, cst.Attribute) and node.attr.value in VIEW_ATTRIBUTES
    ):
        source = node.value
    elif isinstance(node, cst.Call):
        found = operation(node, context, VIEWS)
        source = None if found is None else found.subject
    if source is None or context.array(source) is None:
        return None
    return copied_from(source, context) or source


def _basic(node: cst.Subscript, context: Context) -> bool:
    """Whether all indices are integers, slices, ``None`` and ``...``: what PyTorch answers with a view."""
    return all(not isinstance(e.slice, cst.Index) or _is_basic_index(e.slice.value, context) for e in node.slice)


def _is_basic_index(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    if isinstance(value, Array):
        return False
    return all(
        (isinstance(m, Const) and (m.value is None or m.value is ... or constant(m, int) is not None))
        or (isinstance(m, Scalar) and m.type == "int")
        for m in members(value)
    )
