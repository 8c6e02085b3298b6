"""What an optimizer is, and how it was made."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.layers import SCHEDULE
from mlxlint.model.values import NONE, UNKNOWN, Function, Instance, Partial, Value, members


def as_optimizer(value: Value) -> Instance | None:
    """The value as an optimizer of MLX's, or of a class derived from one; None when it may be anything else."""
    found = [member for member in members(value) if member.key() != NONE.key()]
    return found[0] if found and all(_is_optimizer(member) for member in found) else None  # type: ignore[return-value]


def _is_optimizer(value: Value) -> bool:
    if not isinstance(value, Instance) or value.type == SCHEDULE:
        return False
    return optimizer_name(value) is not None


def optimizer_name(optimizer: Instance) -> str | None:
    """The name of MLX's class behind an optimizer: ``Adam``."""
    bases = [optimizer.type] if optimizer.code is None else optimizer.code.ancestry()[1]
    return next((name.rpartition(".")[2] for name in bases if name.startswith("mlx.optimizers.")), None)


def is_schedule(value: Value) -> bool:
    """Whether a value is a learning rate that depends on the step: a schedule of MLX's, or a function."""
    return isinstance(value, (Function, Partial)) or (isinstance(value, Instance) and value.type == SCHEDULE)


def learning_rate(optimizer: Instance) -> Value:
    """What an optimizer of MLX's own classes was given as its learning rate."""
    if optimizer.code is not None:
        return UNKNOWN
    return optimizer.keywords.get("learning_rate", optimizer.args[0] if optimizer.args else UNKNOWN)


def method_call(call: cst.Call, *names: str) -> cst.Attribute | None:
    """The ``x.name`` that is called, when it has one of some names."""
    return call.func if isinstance(call.func, cst.Attribute) and call.func.attr.value in names else None


def constructor(call: cst.Call, context: Context) -> str | None:
    """The name of the class when a call makes one of MLX's optimizers: ``Adam``."""
    value = context.value(call)
    if not isinstance(value, Instance) or value.code is not None or not _is_optimizer(value):
        return None
    return value.type.rpartition(".")[2] if context.callee(call) == value.type else None
