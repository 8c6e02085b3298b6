"""Assignment: names, unpacking, attributes of the project's classes, items."""

from __future__ import annotations

from typing import Any

import libcst as cst

from mlxlint.model import foreign, shapes
from mlxlint.model.machine import Machine
from mlxlint.model.tree import dotted
from mlxlint.model.values import (
    UNKNOWN,
    Array,
    Const,
    Dict,
    Dim,
    Either,
    Instance,
    Scalar,
    Sequence,
    Value,
    as_array,
    constant,
    join,
    members,
)


class Assignment(Machine):
    """Binds targets to values."""

    def assign(self, target: cst.BaseExpression, value: Value, source: cst.BaseExpression | None) -> None:
        if isinstance(target, cst.Name):
            if isinstance(value, Scalar) and value.type == "int" and value.dim is None:
                value = value.with_(dim=Dim(target.value))
            self.frame.env[target.value] = value
        elif isinstance(target, cst.Attribute):
            self.store_attribute(target, value)
        elif isinstance(target, (cst.Tuple, cst.List)):
            self._unpack(target, value, source)
        elif isinstance(target, cst.Subscript):
            self._store_subscript(target, value)
        elif isinstance(target, cst.StarredElement):
            self.assign(target.value, value, None)

    def _unpack(self, target: cst.Tuple | cst.List, value: Value, source: cst.BaseExpression | None) -> None:
        elements = target.elements
        star = next((i for i, e in enumerate(elements) if isinstance(e, cst.StarredElement)), None)
        if isinstance(value, Either):
            value = next((m for m in value.members if isinstance(m, Sequence)), UNKNOWN)
        items = value.items if isinstance(value, Sequence) else None
        if star is None and source is not None:
            items = self._unpack_shape(elements, items, source)
        for i, element in enumerate(elements):
            if items is not None and star is None and len(items) == len(elements):
                part = items[i]
            elif items is not None and star is not None and len(items) >= len(elements) - 1:
                after = len(elements) - star - 1
                part = (
                    items[i]
                    if i < star
                    else items[i - len(elements)]
                    if i > star
                    else Sequence("list", items[star : len(items) - after])
                )
            else:
                part = foreign.iterate(value)
                if star == i:
                    part = Sequence("list", None, part)
            self.assign(element.value, part, None)

    def _unpack_shape(
        self, elements: Any, items: tuple[Value, ...] | None, source: cst.BaseExpression
    ) -> tuple[Value, ...] | None:
        """``B, C, H, W = x.shape``: gives the array its rank, named sizes and, by the names, its layout."""
        if not (isinstance(source, cst.Attribute) and source.attr.value == "shape"):
            return items
        array = as_array(self.frame.values.get(source.value, UNKNOWN))
        if array is None:
            return items
        called = [e.value.value if isinstance(e.value, cst.Name) else None for e in elements]
        known = items if items is not None and len(items) == len(called) else (Scalar("int"),) * len(called)
        sized = tuple(
            v if isinstance(v, Const) or shapes.size(v) is not None else Scalar("int", dim=Dim(n or ""))
            for v, n in zip(known, called)
        )
        layout = shapes.layout_of_names(called)
        if (
            isinstance(source.value, cst.Name)
            and source.value.value in self.frame.env
            and (array.shape is None or len(array.shape) == len(called))
        ):
            refined = array.with_(shape=tuple(shapes.size(v) for v in sized), layout=array.layout or layout)
            self.frame.env[source.value.value] = refined
        return sized

    def store_attribute(self, target: cst.Attribute, value: Value) -> None:
        self.store_named(self.eval(target.value), target.attr.value, value)
        path = dotted(target)
        if path is not None:
            self.frame.env[path] = value

    def store_named(self, base: Value, name: str, value: Value) -> None:
        """What ``base.name = value`` and ``setattr(base, "name", value)`` show of the project's classes."""
        for member in members(base):
            if isinstance(member, Instance) and member.code is not None:
                stored = value
                if isinstance(value, Array) and member.code.is_mlx_module and not name.startswith("_"):
                    stored = value.with_(parameter=True)
                self.objects_of(member.code).set(name, stored)

    def _store_subscript(self, target: cst.Subscript, value: Value) -> None:
        base = self.eval(target.value)
        parts = [self.slice_part(e.slice) for e in target.slice]
        changed: Value | None = None
        if isinstance(base, Dict) and len(parts) == 1 and parts[0] is not None:
            changed = base.store(constant(parts[0], str), value)
        elif isinstance(base, Sequence):
            changed = Sequence(base.kind, None, join(base.joined(), value))
        if changed is not None and isinstance(target.value, (cst.Name, cst.Attribute)):
            self.assign(target.value, changed, None)
