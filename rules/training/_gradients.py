"""Which functions are differentiated, and with respect to what."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Instance, Name, Partial, Tree, Value, members

TRANSFORMS = frozenset({"mlx.core.grad", "mlx.core.value_and_grad", "mlx.nn.value_and_grad"})


def differentiated_argument(call: cst.Call, context: Context) -> tuple[Partial, cst.BaseExpression] | None:
    """What ``mx.grad`` or ``mx.value_and_grad`` made, where a call is one of that, and its argument that is varied."""
    transform = context.called(call)
    if not isinstance(transform, Partial) or not transform.transform.startswith("mlx.core.") or transform.args:
        return None
    if not call.args or call.args[0].star or {"argnums", "argnames"} & set(transform.keywords):
        return None
    return transform, call.args[0].value


def is_module(value: Value) -> bool:
    """Whether a value is surely a module of MLX's or of a class derived from one."""
    return all(_is_module(member) for member in members(value))


def _is_module(value: Value) -> bool:
    if not isinstance(value, Instance):
        return False
    return (
        value.code.is_mlx_module
        if value.code is not None
        else value.type.startswith("mlx.nn.") and value.type.count(".") == 2
    )


def is_gradients(value: Value) -> bool:
    """Whether a value is a tree of gradients."""
    return all(isinstance(member, Tree) and member.kind == "gradients" for member in members(value))


def differentiated_functions(context: Context) -> list[FunctionCode]:
    """The functions that this file hands to ``mx.grad`` and its like, and the project's functions called in them."""
    found: dict[int, FunctionCode] = {}
    for call, called in list(context.module.calls.items()):
        if isinstance(called, Name) and called.name in TRANSFORMS and call.args:
            index = 1 if called.name == "mlx.nn.value_and_grad" else 0
            code = context.function(context.value(call.args[index].value)) if index < len(call.args) else None
            if code is not None:
                found[id(code)] = code
                _add_called(code, found, context)
    return list(found.values())


def _add_called(code: FunctionCode, found: dict[int, FunctionCode], context: Context) -> None:
    for _, called, _ in context.calls(code.node.body):
        helper = context.function(called)
        if helper is not None:
            found.setdefault(id(helper), helper)


def is_differentiated(code: FunctionCode, context: Context) -> bool:
    """Whether a function is a layer's forward pass, or is differentiated in this file, itself or in a caller."""
    if code.owner is not None and code.owner.is_mlx_module and code.name == "__call__":
        return True
    return any(code is found for found in differentiated_functions(context))


def is_forward(code: FunctionCode, context: Context) -> bool:
    """Whether a function is differentiated, or helps in this file with a layer's forward pass."""
    return is_differentiated(code, context) or id(code) in context.shared(_forward_helpers, context.tree)


def _forward_helpers(_: cst.CSTNode, context: Context) -> set[int]:
    """The project's functions that the forward passes of this file's layers call."""
    found: dict[int, FunctionCode] = {}
    for owner in context.module.classes.values():
        forward = owner.method("__call__") if owner.is_mlx_module else None
        if forward is not None:
            for call in context.nodes(forward.node.body, cst.Call):
                helper = context.function(context.called(call))
                if helper is not None:
                    found[id(helper)] = helper
    return set(found)
