"""Attributes: of modules, arrays, layers, the project's own classes."""

from __future__ import annotations

import libcst as cst

from mlxlint.model import foreign, language_models, layers, names, ops
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode
from mlxlint.model.machine import Machine, produced, refine
from mlxlint.model.narrowing import type_name
from mlxlint.model.values import (
    CERTAIN,
    LIKELY,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Either,
    Foreign,
    Function,
    Instance,
    Module,
    Name,
    Partial,
    Scalar,
    Sequence,
    Tree,
    Value,
    join_all,
)

# What has a shape is an array of some kind, and shapes are numbers in all frameworks.
_SHAPE = Sequence("tuple", None, Scalar("int", LIKELY), LIKELY)


class Attributes(Machine):
    """What ``base.name`` is."""

    def attribute(self, base: Value, name: str, node: cst.CSTNode | None) -> Value:
        """The value of ``base.name``."""
        if base is UNKNOWN:
            return _SHAPE if name == "shape" else UNKNOWN
        if type(base) is Instance:  # by far the most frequent
            return self._instance_attribute(base, name, node)
        if isinstance(base, Module):
            return self.project.attribute(base, name, self.frame.module)
        if isinstance(base, Array):
            found = ops.attribute(base, name)
            if found is not None:
                return produced(found, "mlx.core.array." + name, node)
            if name == "at":
                return Instance("mlx.core.array.at", None, (base,), node=node, confidence=base.confidence)
            return Name("mlx.core.array." + name, base, base.confidence, node)
        if isinstance(base, Foreign):
            return (
                produced(foreign.attribute(base, name), f"{base.type}.{name}", node)
                if foreign.attribute(base, name)
                else Name(f"{base.type}.{name}", base, base.confidence, node)
            )
        if isinstance(base, Class):
            return self._class_attribute(base, name)
        if isinstance(base, (Dict, Sequence, Tree, Const, Scalar)):
            return Name(f"builtins.{type_name(base)}.{name}", base, base.confidence, node)
        if isinstance(base, Name):
            if base.receiver is None:
                return Name(names.canonical(f"{base.name}.{name}"), None, base.confidence, node)
            return UNKNOWN
        if isinstance(base, Partial):
            return UNKNOWN
        if isinstance(base, Either):
            found_values = [
                self.attribute(m, name, node) for m in base.members if not (isinstance(m, Const) and m.value is None)
            ]
            return join_all(found_values) if found_values else UNKNOWN
        return UNKNOWN

    def _instance_attribute(self, base: Instance, name: str, node: cst.CSTNode | None) -> Value:
        code = base.code
        if code is None:
            if base.type == "mlx.core.array.at":
                array = base.args[0]
                return Name("mlx.core.array.at." + name, array.with_(op="mlx.core.array.at"), array.confidence, node)
            found = ops.member(base.type, name) or language_models.attribute(base, name) or layers.attribute(base, name)
            return (
                produced(found, f"{base.type}.{name}", node)
                if found is not None
                else Name(f"{base.type}.{name}", base, base.confidence, node)
            )
        found = self.member(code, name)
        if found is not None:
            if isinstance(found, Function) and found.receiver is None and not found.code.is_static:
                if found.code.is_property:
                    return self.call_function(found.code, Arguments((base,), {}))
                return Function(found.code, base, found.confidence, found.node)
            if isinstance(found, Partial) and isinstance(found.inner, Function) and _is_unbound_method(found.inner):
                bound = Function(found.inner.code, base, found.inner.confidence)
                return Partial(found.transform, bound, found.args, found.keywords, found.confidence, found.node)
            return found
        outside = [n for n in code.ancestry()[1] if n.startswith(("mlx.", "torch."))]
        if outside:
            inherited = layers.attribute(Instance(outside[0]), name)
            return inherited if inherited is not None else Name(f"{outside[0]}.{name}", base, base.confidence, node)
        return UNKNOWN

    def member(self, code: ClassCode, name: str) -> Value | None:
        """An attribute of the instances of a project class; None when it has none that is known."""
        own, _ = code.ancestry()
        for cls in own:
            self._initialise(cls)
            attributes = cls.attributes
            if name in attributes:
                return _of_field(cls.fields.get(name, UNKNOWN), attributes[name])
            if name in cls.body and name not in cls.fields:
                return cls.body[name]
            if name in cls.fields:
                return cls.fields[name]
        return None

    def _initialise(self, code: ClassCode) -> None:
        """Learn the attributes that ``__init__``, or a dataclass's own addition to it, sets when one is asked for."""
        objects = self.objects_of(code)
        if objects.initialised:
            return
        objects.initialised = True
        init = code.body.get("__init__") or code.body.get("__post_init__")
        if isinstance(init, Function) and not self.calls_of(init.code).returns:  # or objects made have shown it
            self.activate(init.code, self.parameters(init.code), recording=False)

    def _class_attribute(self, base: Class, name: str) -> Value:
        for code in base.code.ancestry()[0]:
            found = code.body.get(name)
            if isinstance(found, Function) and found.code.decorated_with("builtins.classmethod"):
                return Function(found.code, base, found.confidence, found.node)
            if found is not None:
                return found
        outside = [n for n in base.code.ancestry()[1] if n.startswith(("mlx.", "torch."))]
        return Name(f"{outside[0]}.{name}") if outside else UNKNOWN


def _of_field(stated: Value, stored: Value) -> Value:
    """What an attribute holds, by the annotation of the class's body and by what was seen to be stored."""
    if stated is UNKNOWN or (isinstance(stated, Scalar) and isinstance(stored, Const) and stored.confidence == CERTAIN):
        return stored
    return refine(stated, stored)


def _is_unbound_method(function: Function) -> bool:
    """Whether a function is a method that gets its object when it is looked up."""
    return function.code.owner is not None and function.receiver is None and not function.code.is_static
