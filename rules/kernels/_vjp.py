"""Functions with a gradient of their own: what ``mx.custom_function`` decorates and what is registered on it."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context


@dataclass(frozen=True)
class Registered:
    """A function registered by ``@f.vjp`` (or ``jvp``, ``vmap``) on a custom function ``f`` of the same file."""

    function: cst.FunctionDef
    how: str
    custom: cst.FunctionDef

    def parameters(self) -> list[str]:
        return [parameter.name.value for parameter in positional(self.function)]


def positional(function: cst.FunctionDef) -> list[cst.Param]:
    return [*function.params.posonly_params, *function.params.params]


def takes_any(function: cst.FunctionDef) -> bool:
    return isinstance(function.params.star_arg, cst.Param)


def registered(node: cst.FunctionDef, context: Context) -> Registered | None:
    for decorator in node.decorators:
        target = decorator.decorator
        if isinstance(target, cst.Attribute) and target.attr.value in ("vjp", "jvp", "vmap"):
            if isinstance(target.value, cst.Name):
                custom = _custom(target.value.value, context)
                return Registered(node, target.attr.value, custom) if custom is not None else None
    return None


def _custom(name: str, context: Context) -> cst.FunctionDef | None:
    """The function of a name that `mx.custom_function` decorates."""
    for function in context.module.functions:
        if isinstance(function, cst.FunctionDef) and function.name.value == name:
            if any(context.qualified(d.decorator) == "mlx.core.custom_function" for d in function.decorators):
                return function
    return None
