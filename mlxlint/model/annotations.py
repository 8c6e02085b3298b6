"""Annotations, and the objects of a class."""

from __future__ import annotations

import libcst as cst

from mlxlint.model.machine import Machine
from mlxlint.model.values import (
    NONE,
    UNKNOWN,
    Array,
    Class,
    Dict,
    Foreign,
    Instance,
    Name,
    Scalar,
    Sequence,
    Unknown,
    Value,
    join_all,
)


class Annotations(Machine):
    """Reads annotations as values."""

    def annotation(self, node: cst.BaseExpression) -> Value:
        """What an annotation says of the value annotated."""
        if isinstance(node, cst.Name):  # first, being the most frequent
            return NONE if node.value == "None" else instance_of(self.eval(node))
        if isinstance(node, cst.SimpleString):
            try:
                return self.annotation(cst.parse_expression(str(node.evaluated_value).strip()))
            except Exception:
                return UNKNOWN
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
            return self._alternatives([self.annotation(node.left), self.annotation(node.right)])
        if isinstance(node, cst.Subscript):
            return self._generic_annotation(node)
        return instance_of(self.eval(node))

    @staticmethod
    def _alternatives(values: list[Value]) -> Value:
        return UNKNOWN if any(isinstance(v, Unknown) for v in values) else join_all(values)

    def _generic_annotation(self, node: cst.Subscript) -> Value:
        base = self.eval(node.value)
        name = base.name if isinstance(base, Name) else ""
        short = name.rpartition(".")[2].lower()
        inner = [e.slice.value for e in node.slice if isinstance(e.slice, cst.Index)]
        if short == "optional" and inner:
            return self._alternatives([self.annotation(inner[0]), NONE])
        if short == "union":
            return self._alternatives([self.annotation(i) for i in inner])
        if short in ("annotated", "classvar", "final") and inner:
            return self.annotation(inner[0])
        if short in ("list", "sequence", "iterable", "iterator", "set", "collection", "generator"):
            kind = {"list": "list", "set": "set", "sequence": "list"}.get(short, "iterator")
            return Sequence(kind, None, self.annotation(inner[0]) if inner else UNKNOWN)
        if short == "tuple":
            if len(inner) == 2 and isinstance(inner[1], cst.Ellipsis):
                return Sequence("tuple", None, self.annotation(inner[0]))
            return Sequence("tuple", tuple(self.annotation(i) for i in inner))
        if short in ("dict", "mapping", "defaultdict", "mutablemapping") and len(inner) == 2:
            return Dict({}, self.annotation(inner[1]))
        return UNKNOWN


def instance_of(cls: Value) -> Value:
    """An object of a class given as an abstract value (an annotation, or ``isinstance``'s second argument)."""
    if isinstance(cls, Class):
        return Instance(cls.code.qualified, cls.code)
    if isinstance(cls, Name):
        name = cls.name
        if name == "mlx.core.array":
            return Array(op="annotation")
        if name in ("torch.Tensor", "numpy.ndarray"):
            return Foreign(name)
        if name in ("torch.FloatTensor", "torch.LongTensor", "torch.BoolTensor"):
            return Foreign("torch.Tensor")
        if name.startswith("builtins."):
            short = name[9:]
            if short in ("int", "float", "bool", "str", "bytes", "complex"):
                return Scalar(short)
            return {"list": Sequence("list", None), "tuple": Sequence("tuple", None), "dict": Dict()}.get(
                short, UNKNOWN
            )
        if name.rpartition(".")[2][:1].isupper() and name.startswith(
            ("mlx", "torch.nn", "torch.optim", "numpy", "pandas", "pathlib", "transformers")
        ):
            return Instance(name)
        if name in ("typing.List", "typing.Sequence"):
            return Sequence("list", None)
    return UNKNOWN
