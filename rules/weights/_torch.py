"""Weights that come from PyTorch, and the modules they are loaded into."""

from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.model.values import Array, Dict, Foreign, Instance, Sequence, Value, as_array, members

from ._paths import assigned

TURNED = re.compile(r"transpose|permute|moveaxis|movedim|swapaxes|einsum|rearrange|sanitize|\.[mT]T\b|\.T\b")


def is_torch_made(node: cst.BaseExpression | None, context: Context) -> bool:
    """Whether an expression is ``mx.array`` of a torch tensor, by way of NumPy or not, with its axes as they were."""
    if node is None:
        return False
    array = as_array(context.value(node))
    if (
        array is None
        or array.op not in ("mlx.core.array", "mlx.core.asarray")
        or not isinstance(array.node, cst.Call)
        or not array.node.args
    ):
        return False
    given = array.node.args[0].value
    if any(isinstance(part, cst.Name) and TURNED.search(part.value) for part in tree.walk(given)):
        return False
    return any(_is_torch(member) for member in members(context.value(given)))


def _is_torch(value: Value) -> bool:
    return isinstance(value, Foreign) and (
        value.type == "torch.Tensor" or (value.op or "").startswith("torch.Tensor.numpy")
    )


def comes_from_torch(
    node: cst.BaseExpression | None, context: Context, seen: tuple[cst.BaseExpression, ...] = ()
) -> bool:
    """Whether a list or dict of weights is made from torch tensors in this file.

    Args:
        seen: what has been looked at on the way here; a name may stand in what is assigned to it.
    """
    if isinstance(node, cst.Name):
        made = assigned(node, context)
        return made is not None and made not in seen and comes_from_torch(made, context, (*seen, made))
    if node is None or not isinstance(context.value(node), (Dict, Sequence)):
        return False
    if any(_converts(part, context) for part in tree.walk(node) if isinstance(part, cst.Call)):
        return True
    return any(isinstance(part, cst.Call) and is_torch_made(part, context) for part in tree.walk(node)) or any(
        isinstance(part, cst.Name)
        and part is not node
        and isinstance(context.value(part), (Dict, Sequence))
        and comes_from_torch(part, context, seen)
        for part in tree.walk(node)
    )


def _converts(call: cst.Call, context: Context) -> bool:
    """Whether a call is of a function of this file that makes arrays of torch tensors."""
    code = context.function(context.called(call))
    if code is None or code.module is not context.module:
        return False
    return any(isinstance(part, cst.Call) and is_torch_made(part, context) for part in tree.walk(code.node.body))


def holds_layer(value: Value, pattern: re.Pattern[str], seen: tuple[ClassCode, ...] = ()) -> bool:
    """Whether a module, or a module in it, is a layer of MLX whose qualified name a pattern matches."""
    return any(_holds_layer(member, pattern, seen) for member in members(value))


def _holds_layer(value: Value, pattern: re.Pattern[str], seen: tuple[ClassCode, ...]) -> bool:
    if isinstance(value, Sequence):
        return holds_layer(value.joined(), pattern, seen)
    if not isinstance(value, Instance):
        return False
    if value.code is None:
        return bool(pattern.match(value.type)) or any(holds_layer(arg, pattern, seen) for arg in value.args)
    if value.code in seen:
        return False
    stored = (v for code in value.code.ancestry()[0] for v in code.attributes.values() if not isinstance(v, Array))
    return any(holds_layer(v, pattern, (*seen, value.code)) for v in stored)
