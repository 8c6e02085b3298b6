"""Functions that are compiled, wherever that is said: as a decorator, or by a call of ``mx.compile``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Name, Partial, Sequence, Tree, Value, constant
from mlxlint.rule import Rule

COMPILE = "mlx.core.compile"
_OPTIONS = ("inputs", "outputs", "shapeless")
RANDOM_STATE = "mlx.core.random.state"


@dataclass(frozen=True)
class Compiled:
    """One function that is compiled, and where and how that is said."""

    node: cst.BaseExpression
    code: FunctionCode
    options: dict[str, cst.BaseExpression]

    def state(self, name: str, context: Context) -> Value | None:
        """The value given as ``inputs`` or ``outputs``; None when nothing is."""
        return context.value(self.options[name]) if name in self.options else None

    def is_shapeless(self, context: Context) -> bool:
        return constant(context.value(self.options.get("shapeless")), bool) is True


class CompiledRule(Rule):
    """Base of the rules about compiled functions: they say what is wrong with one in ``check``."""

    calls = frozenset({"compile", "partial"})
    functions = frozenset({"@"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        options = _stated(node, context) if node.args and not node.args[0].star else None
        code = context.function(context.value(node.args[0].value)) if options is not None else None
        if options is not None and code is not None:
            self.check(Compiled(node, code, options), context)

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        for decorator in node.decorators if code is not None else ():
            options = decorates(decorator.decorator, context)
            if code is not None and options is not None:
                self.check(Compiled(decorator.decorator, code, options), context)

    def check(self, compiled: Compiled, context: Context) -> None:
        raise NotImplementedError


def calls_transform(node: cst.Call, name: str, context: Context) -> bool:
    """Whether a call is one of ``mx.compile`` (or another transform) itself, not of what it made."""
    called = context.called(node)
    return isinstance(called, Name) and called.name == name


def _stated(node: cst.Call, context: Context) -> dict[str, cst.BaseExpression] | None:
    """The options with which a call compiles its first argument; None when it does something else."""
    if calls_transform(node, COMPILE, context):
        return _options(node)
    return decorates(node.func, context) if isinstance(node.func, cst.Call) else None


def _options(call: cst.Call) -> dict[str, cst.BaseExpression]:
    """What `mx.compile`, or `partial` of it, is given besides the function."""
    found = {name: arg.value for name, arg in zip(_OPTIONS, call.args[1:]) if arg.keyword is None and not arg.star}
    return found | {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}


def decorates(node: cst.BaseExpression, context: Context) -> dict[str, cst.BaseExpression] | None:
    """The options with which a decorator compiles; None when it does something else."""
    if context.qualified(node) == COMPILE:
        return {}
    if isinstance(node, cst.Call):
        value = context.value(node)
        if isinstance(value, Partial) and isinstance(value.inner, Name) and value.inner.name == COMPILE:
            return _options(node)
    return None


def captures(value: Value | None) -> list[Value] | None:
    """What a captured state holds, as a flat list; None when that is not known."""
    if value is None:
        return []
    if isinstance(value, Sequence):
        if value.items is None:
            return None
        found: list[Value] = []
        for item in value.items:
            inner = captures(item)
            if inner is None:
                return None
            found += inner
        return found
    return [value] if isinstance(value, (Tree, Name)) else None


def has_random_state(values: list[Value]) -> bool:
    return any(isinstance(value, Name) and value.name == RANDOM_STATE for value in values)


def called_in(compiled: Compiled, context: Context) -> Iterator[tuple[cst.Call, Value]]:
    for call, called, _ in context.calls(compiled.code.node.body):
        yield call, called
