"""Where a file uses which of PyTorch's names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import libcst as cst

from mlxlint.audit.spelling import in_torch
from mlxlint.audit.ways import MODULE, OF_OBJECTS, OPTIMIZER, SCHEDULER, TENSOR, entry, is_known, of_tensors_alone
from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, Instance, Name, Value
from mlxlint.positions import offsets
from mlxlint.rules.api import _names
from mlxlint.source import Source

_STATE = frozenset({"training"})  # what modules have beside methods
_OWNERS = {MODULE: "mlx.nn.", SCHEDULER: "mlx.optimizers.lr_scheduler.", OPTIMIZER: "mlx.optimizers."}


class Use(NamedTuple):
    """One use of a name, at an offset in the text.

    ``span`` is the whole call where it is called, ``block`` the statement at top level around it; ``made``: what is
    named is made or handed on here, not just mentioned as a type; ``rewritten``: it is known what to write instead.
    """

    name: str
    at: int
    span: tuple[int, int]
    block: tuple[int, int]
    made: bool
    rewritten: bool


def uses(context: Context, source: Source) -> list[Use]:
    """Every use of a name of PyTorch in a file that is read as MLX, in order of place."""
    imported = {bound: value.name for bound, value in _imported(context)}
    named = [
        (node, name)
        for node in context.walk(context.tree, into_functions=True)
        if isinstance(node, (cst.Name, cst.Attribute)) and (name := _used(node, imported, context)) is not None
    ]
    parts = [(node, name, _spot(node), _whole(node, context), _block(node, context)) for node, name in named]
    wanted = [part for _, _, *nodes in parts for part in nodes]
    places = offsets(context.module.concrete, wanted, source.text)
    found = [
        Use(
            name,
            places[spot][0],
            places[whole],
            places[block],
            _is_made(node, context),
            _is_rewritten(node, name, context),
        )
        for node, name, spot, whole, block in parts
        if whole in places
    ]
    return sorted(found, key=lambda use: use.at)


def unresolved(context: Context) -> list[str]:
    """The names of tensors' methods that are read from what is not known to be a tensor."""
    nodes = (node for node in context.module.values if isinstance(node, cst.Attribute))
    names = (node.attr.value for node in nodes if context.value(node.value) is UNKNOWN)
    return [name for name in names if name in of_tensors_alone()]


def _imported(context: Context) -> Iterator[tuple[str, Name]]:
    """The names that ``from ... import`` binds, anywhere in the file."""
    for node, value in context.module.values.items():
        if isinstance(node, cst.ImportAlias) and isinstance(value, Name):
            bound = node.asname.name if node.asname is not None else node.name
            yield cst.ensure_type(bound, cst.Name).value, value


def _used(node: cst.Name | cst.Attribute, imported: Mapping[str, str], context: Context) -> str | None:
    """The name of PyTorch that an expression is, and not just a part of one."""
    value = context.value(node)
    if isinstance(node, cst.Name):
        is_import = isinstance(value, Name) and imported.get(node.value) == value.name
        return _of_torch(node, value, context) if is_import else None
    if node.attr.value.startswith("__"):
        return None
    if context.array(node.value) is not None:
        return f"{TENSOR}.{node.attr.value}"
    base = context.value(node.value)
    is_method = isinstance(value, Name) or (isinstance(base, Instance) and base.type.startswith("mlx.optimizers."))
    if isinstance(base, Instance) and (is_method or node.attr.value in _STATE):
        return _of_object(node.attr.value, base)
    return _of_torch(node, value, context) if context.qualified(node.value) is not None else None


def _of_torch(node: cst.CSTNode, value: Value, context: Context) -> str | None:
    name = _qualified(value)
    outer = context.parent(node)
    longer = isinstance(outer, cst.Attribute) and outer.value is node and not outer.attr.value.startswith("__")
    return None if longer and _qualified(context.value(outer)) is not None else name


def _qualified(value: Value) -> str | None:
    name = in_torch(value.name) if isinstance(value, Name) and value.receiver is None else ""
    return name if name.startswith("torch.") else None


def _of_object(name: str, receiver: Instance) -> str | None:
    """A member of PyTorch's modules or optimizers, where the class of the object has none of that name."""
    bases = receiver.code.ancestry()[1] if receiver.code is not None else [receiver.type]
    for scope, prefix in _OWNERS.items():
        if any(base.startswith(prefix) for base in bases):
            return f"{scope}.{name}" if scope != MODULE or is_known(scope, name) else None
    return None


def _spot(node: cst.CSTNode) -> cst.CSTNode:
    return node.attr if isinstance(node, cst.Attribute) else node


def _whole(node: cst.CSTNode, context: Context) -> cst.CSTNode:
    outer = context.parent(node)
    return outer if isinstance(outer, cst.Call) and outer.func is node else node


def _block(node: cst.CSTNode, context: Context) -> cst.CSTNode:
    """The statement at top level around a node."""
    block = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.Module):
            break
        block = ancestor
    return block


def _is_made(node: cst.BaseExpression, context: Context) -> bool:
    outer = context.parent(node)
    if isinstance(outer, cst.Arg):
        call = context.parent(outer)
        return isinstance(call, cst.Call) and context.callee(call) not in ("builtins.isinstance", "builtins.issubclass")
    return isinstance(outer, (cst.Call, cst.Param, cst.Assign))


def _is_rewritten(node: cst.BaseExpression, name: str, context: Context) -> bool:
    scope, _, member = name.rpartition(".")
    found = entry(scope, member)
    if found is None:
        return False
    receiver = node.value if isinstance(node, cst.Attribute) and scope in OF_OBJECTS else None
    return _names.rewrite(found, node, receiver, context) is not None
