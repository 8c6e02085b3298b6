"""Which models behave differently in training and in evaluation."""

from __future__ import annotations

from mlxlint.model.code import ClassCode
from mlxlint.model.values import Instance, Sequence, Value, members

MODAL = ("mlx.nn.Dropout", "mlx.nn.BatchNorm")


def has_modes(value: Value, depth: int = 6) -> bool:
    """Whether a value is, or contains, a layer of dropout or batch normalisation."""
    if depth == 0:
        return False
    for member in members(value):
        if isinstance(member, Instance):
            if member.type.startswith(MODAL) or any(has_modes(arg, depth - 1) for arg in member.args):
                return True
            if member.code is not None and _class_has_modes(member.code, depth):
                return True
        elif isinstance(member, Sequence) and has_modes(member.joined(), depth - 1):
            return True
    return False


def _class_has_modes(code: ClassCode, depth: int) -> bool:
    return any(has_modes(value, depth - 1) for own in code.ancestry()[0] for value in own.attributes.values())
