"""Narrowing: what a test says of the names in it."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from mlxlint.model.annotations import instance_of
from mlxlint.model.machine import Machine
from mlxlint.model.tree import dotted
from mlxlint.model.values import (
    LIKELY,
    NEVER,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Either,
    Foreign,
    Instance,
    Name,
    Sequence,
    Tree,
    Value,
    constant,
    join_all,
    members,
    scalar_type,
)


class Narrowing(Machine):
    """Keeps the alternatives that go with a test's outcome."""

    def narrow(self, test: cst.BaseExpression, truth: bool) -> None:
        """Keep of the names in a test only the alternatives with which it has this outcome."""
        if isinstance(test, (cst.Name, cst.Attribute)):
            if truth:
                self._filter(test, lambda v: not (isinstance(v, Const) and v.value is None))
        elif isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            self.narrow(test.expression, not truth)
        elif isinstance(test, cst.BooleanOperation):
            if isinstance(test.operator, cst.And) is truth:
                self.narrow(test.left, truth)
                self.narrow(test.right, truth)
        elif isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
            comparison = test.comparisons[0]
            if isinstance(comparison.comparator, cst.Name) and comparison.comparator.value == "None":
                equal = isinstance(comparison.operator, (cst.Is, cst.Equal))
                if equal or isinstance(comparison.operator, (cst.IsNot, cst.NotEqual)):
                    want_none = equal is truth
                    self._filter(
                        test.left,
                        lambda v: (
                            isinstance(v, Const) and v.value is None
                            if want_none
                            else not (isinstance(v, Const) and v.value is None)
                        ),
                    )
            elif isinstance(comparison.operator, (cst.Equal, cst.NotEqual)):
                self._narrow_rank(test.left, comparison.comparator, isinstance(comparison.operator, cst.Equal) is truth)
        elif isinstance(test, cst.Call) and isinstance(test.func, cst.Name) and len(test.args) == 2:
            if test.func.value == "isinstance":
                self._narrow_isinstance(test, truth)
            elif test.func.value == "hasattr" and truth:
                name = constant(self.frame.values.get(test.args[1].value, UNKNOWN), str)
                self._filter(test.args[0].value, lambda v: name is None or _may_have(v, name))

    def _narrow_isinstance(self, test: cst.Call, truth: bool) -> None:
        wanted = test.args[1].value
        kinds = [e.value for e in wanted.elements] if isinstance(wanted, cst.Tuple) else [wanted]
        classes = [self.frame.values.get(k, UNKNOWN) for k in kinds]
        subject = test.args[0].value
        if truth:
            objects = join_all(instance_of(c) for c in classes)
            current = self.frame.values.get(subject, UNKNOWN)
            kept = [m for m in members(current) if any(_is_instance(m, c) for c in classes)]
            self._set(subject, join_all(kept) if kept else objects)
        else:
            self._filter(subject, lambda v: not any(_is_instance(v, c) for c in classes))

    def _narrow_rank(self, asked: cst.BaseExpression, number: cst.BaseExpression, equal: bool) -> None:
        """Forget an array's shape where ``x.ndim == n`` says that it is another than is known."""
        rank = constant(self.frame.values.get(number, UNKNOWN), int)
        if rank is None or not isinstance(asked, cst.Attribute) or asked.attr.value != "ndim":
            return
        array = self.frame.values.get(asked.value, UNKNOWN)
        if isinstance(array, Array) and array.rank is not None and (array.rank == rank) is not equal:
            self._set(asked.value, array.with_(shape=None, layout=None))

    def _set(self, node: cst.BaseExpression, value: Value) -> None:
        path = dotted(node)
        if path is not None and (path in self.frame.env or "." in path):
            self.frame.env[path] = value

    def _filter(self, node: cst.BaseExpression, keep: Callable[[Value], bool]) -> None:
        path = dotted(node)
        if path is None:
            return
        current = (
            self.frame.env.get(path) if path in self.frame.env else self.frame.values.get(node) if "." in path else None
        )
        if isinstance(current, Either):
            kept = [m for m in current.members if keep(m)]
            if len(kept) < len(current.members):
                self.frame.env[path] = join_all(kept) if kept else NEVER
        elif current is not None and not keep(current) and current is not UNKNOWN:
            self.frame.env[path] = NEVER


def none_tested(test: cst.BaseExpression, operator: type[cst.BaseCompOp]) -> str | None:
    """The name in ``name is None`` (``operator`` Is) or ``name is not None`` (IsNot)."""
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1 and isinstance(test.left, cst.Name):
        comparison = test.comparisons[0]
        comparator = comparison.comparator
        if (
            isinstance(comparison.operator, operator)
            and isinstance(comparator, cst.Name)
            and comparator.value == "None"
        ):
            return test.left.value
    return None


def given_instead(default: Value) -> Value:
    """What is not known of a name that gets this value when it is None: by convention, what is given is of its kind."""
    return Array(op="default", confidence=LIKELY) if isinstance(default, Array) else UNKNOWN


def _is_instance(value: Value, cls: Value) -> bool:
    if isinstance(value, Array):
        return isinstance(cls, Name) and cls.name == "mlx.core.array"
    if isinstance(value, Foreign):
        return isinstance(cls, Name) and cls.name == value.type
    if isinstance(value, Instance) and isinstance(cls, Class):
        return value.code is not None and cls.code in value.code.ancestry()[0]
    if isinstance(value, Instance) and isinstance(cls, Name):
        return value.type == cls.name or (value.code is not None and cls.name in value.code.ancestry()[1])
    return isinstance(cls, Name) and cls.name == "builtins." + type_name(value)


_SCALARS = {"int": int, "float": float, "complex": complex, "bool": bool, "str": str, "bytes": bytes}


def _may_have(value: Value, name: str) -> bool:
    kind = _SCALARS.get(scalar_type(value) or "")
    return kind is None or hasattr(kind, name)


def type_name(value: Value) -> str:
    if isinstance(value, Dict):
        return "dict"
    if isinstance(value, Tree):
        return "dict"
    if isinstance(value, Sequence):
        return value.kind
    return scalar_type(value) or "object"
