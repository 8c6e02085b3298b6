"""Which functions are differentiated, and with respect to what."""

from __future__ import annotations

from typing import Optional

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, Partial, Tree, Value, members

TRANSFORMS = frozenset({"mlx.core.grad", "mlx.core.value_and_grad", "mlx.nn.value_and_grad"})


def is_module(value: Value) -> bool:
    """Whether a value is surely a module of MLX's or of a class derived from one."""
    return all(_is_module(member) for member in members(value))


def _is_module(value: Value) -> bool:
    if not isinstance(value, Instance):
        return False
    return value.code.is_mlx_module if value.code is not None else value.type.startswith("mlx.nn.") and value.type.count(".") == 2


def is_gradients(value: Value) -> bool:
    """Whether a value is a tree of gradients."""
    return all(isinstance(member, Tree) and member.kind == "gradients" for member in members(value))


def differentiated(call: cst.Call, context: Context) -> Optional[Partial]:
    """The differentiated function that is called, when it is one."""
    value = context.called(call)
    return value if isinstance(value, Partial) and value.transform in TRANSFORMS else None
