"""What types MLX's operations take, as their signatures say and their converters hold to."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.foreign import NDARRAY, TENSOR
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import UNKNOWN, Array, Const, Dict, Foreign, Scalar, Sequence, Value, members, scalar_type
from mlxlint.rules._operations import bare

_NUMBERS = frozenset({"bool", "int", "float", "complex"})
_TYPES: Mapping[str, frozenset[str]] = {  # by a part of an annotation; tried on MLX, kind by kind
    "array": frozenset({"array"}),
    "mlx.core.array": frozenset({"array"}),
    "scalar": _NUMBERS | {"array", "ndarray", "tensor"},
    "int": frozenset({"bool", "int", "array", "ndarray", "tensor"}),
    "float": frozenset({"bool", "int", "float", "array", "ndarray", "tensor"}),
    "bool": frozenset({"bool"}),
    "str": frozenset({"str"}),
    "None": frozenset(),
    "Sequence[int]": frozenset({"list", "tuple", "iterator"}),
    "list[int]": frozenset({"list", "tuple"}),
    "list[array]": frozenset({"array", "list", "tuple"}),
    "list": frozenset({"list"}),
    "tuple": frozenset({"tuple"}),
    "tuple[int]": frozenset({"list", "tuple"}),
    "tuple[int, int]": frozenset({"list", "tuple"}),
    "tuple[int, int, int]": frozenset({"list", "tuple"}),
    "tuple[int, ...]": frozenset({"list", "tuple"}),
    "dict[str, array]": frozenset({"dict"}),
    "Device": frozenset({"device"}),
    "DeviceType": frozenset({"device"}),
    "file": frozenset({"file"}),
    "pathlib.Path": frozenset({"path"}),
    "DLPackCompatible": frozenset({"ndarray", "tensor"}),
}
_EXCEPTIONS: Mapping[tuple[str, str], frozenset[str]] = {  # where the stubs say less, or more, than MLX does
    ("mlx.core.arange", "start"): frozenset({"int", "float"}),
    ("mlx.core.arange", "stop"): frozenset({"int", "float"}),
    ("mlx.core.arange", "step"): frozenset({"int", "float"}),
    ("mlx.core.linspace", "start"): _NUMBERS | {"array"},
    ("mlx.core.linspace", "stop"): _NUMBERS | {"array"},
    ("mlx.core.einsum", "operands"): frozenset({"array"}),
    ("mlx.core.savez", "args"): frozenset({"array"}),
    ("mlx.core.savez_compressed", "args"): frozenset({"array"}),
    ("mlx.core.array.reshape", "shape"): frozenset({"bool", "int", "list", "tuple", "iterator"}),
}
_TAKES_SCALARS = frozenset(  # whose parameters the stubs call arrays
    """abs arccos arccosh arcsin arcsinh arctan arctanh acos acosh asin asinh atan atanh ceil conj conjugate cos cosh
    erf erfinv exp expm1 floor imag isfinite isinf isnan isneginf isposinf log log10 log1p log2 logical_and logical_not
    logical_or negative real reciprocal round rsqrt sigmoid sign sin sinh sqrt square tan tanh distributed.all_gather
    distributed.all_max distributed.all_min distributed.all_sum distributed.sum_scatter""".split()
)
NOUNS: Mapping[str, str] = {
    "array": "an MLX array", "bool": "a bool", "int": "an int", "float": "a float", "complex": "a complex number",
    "str": "a string", "list": "a list", "tuple": "a tuple", "set": "a set", "generator": "a generator",
    "iterator": "an iterator", "dict": "a dict", "ndarray": "a NumPy array", "tensor": "a PyTorch tensor",
    "device": "a device", "file": "a file", "path": "a path",
}  # fmt: skip
_KINDS = {"list", "tuple", "set", "generator", "iterator"}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An argument, the parameter it is for, what kinds that takes, and which kind it is."""

    node: cst.BaseExpression
    parameter: api.Parameter
    accepted: frozenset[str]
    kind: str


def mismatch(call: cst.Call, entry: api.Entry, context: Context) -> Mismatch | None:
    """The first argument that none of the signatures takes for its type; None when all may be right."""
    given = ArgumentNodes(call)
    if given.starred:
        return None
    found = None
    for signature in entry.signatures:
        bound = _bound(given, signature)
        if bound is None:
            continue
        wrong = next(_mismatches(bound, entry.name, context), None)
        if wrong is None:
            return None
        found = found or wrong
    return found


def _bound(given: ArgumentNodes, signature: api.Signature) -> list[tuple[api.Parameter, cst.Arg]] | None:
    """Which argument goes to which parameter; None when the call does not fit the signature."""
    by_name = {p.name: p for p in signature.parameters if p.kind in ("positional-or-keyword", "keyword-only")}
    places = [p for p in signature.parameters if p.kind in ("positional-only", "positional-or-keyword")]
    rest = next((p for p in signature.parameters if p.kind == "var-positional"), None)
    if set(given.keywords) - set(by_name) or (len(given.positional) > len(places) and rest is None):
        return None
    bound = list(zip(places, given.positional, strict=False))
    if rest is not None:
        bound += [(rest, arg) for arg in given.positional[len(places) :]]
    taken = {p.name for p, _ in bound} | set(given.keywords)
    if any(p.default is None and p.name not in taken for p in places):
        return None
    return bound + [(by_name[name], arg) for name, arg in given.keywords.items()]


def _mismatches(bound: list[tuple[api.Parameter, cst.Arg]], callee: str, context: Context) -> Iterator[Mismatch]:
    for parameter, arg in bound:
        accepted = accepted_kinds(callee, parameter)
        if accepted is None:
            continue
        for node in (arg.value, *_sizes(arg.value, accepted)):
            quotient = "int" in accepted and _is_quotient(node, context)
            kind = "float" if quotient else kind_of(context.value(node)) or _computed(node, context)
            if kind is not None and kind not in accepted and (node is arg.value or kind == "float"):
                yield Mismatch(node, parameter, accepted, kind)


def _sizes(node: cst.BaseExpression, accepted: frozenset[str]) -> list[cst.BaseExpression]:
    """The sizes in a shape that is written out."""
    if not accepted >= {"int", "list", "tuple"} or not isinstance(node, (cst.Tuple, cst.List)):
        return []
    return [element.value for element in node.elements]


def _is_quotient(node: cst.BaseExpression, context: Context) -> bool:
    """Whether something is a quotient of what is not known: no division with `/` gives a whole number."""
    if context.value(node) is not UNKNOWN:
        return False
    if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value == "self":
        owner = context.enclosing_class(node)
        return owner is not None and node.attr.value in context.shared(_stored_quotients, owner.node)
    return isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide)


def _stored_quotients(owner: cst.CSTNode, context: Context) -> set[str]:
    """The attributes of a class's objects that are quotients wherever they are set: `self.size = dims / heads`."""
    quotients: dict[str, bool] = {}
    for node in walk(owner):
        if not isinstance(node, cst.Assign):
            continue
        divides = isinstance(node.value, cst.BinaryOperation) and isinstance(node.value.operator, cst.Divide)
        for target in node.targets:
            name = dotted(target.target) or ""
            if name.startswith("self."):
                quotients[name[5:]] = divides and quotients.get(name[5:], True)
    return {name for name, divides in quotients.items() if divides}


@cache
def accepted_kinds(callee: str, parameter: api.Parameter) -> frozenset[str] | None:
    """The kinds of values a parameter takes; None when its annotation tells of some that are not known here."""
    exception = _EXCEPTIONS.get((callee, parameter.name))
    if parameter.annotation == "array" and callee.removeprefix("mlx.core.") in _TAKES_SCALARS:
        return _TYPES["scalar"]
    if exception is not None or parameter.annotation is None:
        return exception
    kinds: frozenset[str] = frozenset()
    for part in parameter.annotation.split(" | "):
        if part not in _TYPES:
            return None
        kinds |= _TYPES[part]
    return kinds


def kind_of(value: Value) -> str | None:
    """What kind of value an argument surely is, as far as signatures tell kinds apart; None may be left out."""
    kinds = {_kind_of(member) for member in members(value)}
    return kinds.pop() if len(kinds) == 1 else None


def _computed(node: cst.BaseExpression, context: Context) -> str | None:
    """ "array" for what is a number on some paths and on others an array that MLX computed: `length = t.max()`.

    Not where the paths part at a test under which it stands, too: it may be a number there.
    """
    alternatives = members(context.value(node))
    computed = [each for each in alternatives if isinstance(each, Array) and (each.op or "").startswith("mlx.core.")]
    if not computed or not all(isinstance(each, (Array, Const, Scalar)) for each in alternatives):
        return None
    parted = {test for each in computed if each.node is not None for test in _tests(each.node, context)}
    return None if parted & _tests(node, context) else "array"


def _tests(node: cst.CSTNode, context: Context) -> set[str]:
    """The tests that decide whether a node is reached."""
    return {bare(a.test, context) for a in context.ancestors(node) if isinstance(a, (cst.If, cst.IfExp))}


def _kind_of(value: Value) -> str | None:
    if isinstance(value, Array):
        return "array"
    if isinstance(value, (Const, Scalar)):
        kind = scalar_type(value)
        return kind if kind in NOUNS else None
    if isinstance(value, Sequence):
        return value.kind if value.kind in _KINDS else None
    if isinstance(value, Foreign):
        return {NDARRAY: "ndarray", TENSOR: "tensor"}.get(value.type)
    return "dict" if isinstance(value, Dict) else None


def described(kinds: frozenset[str]) -> str:
    """Kinds in words, the plainest first."""
    shown = [noun for kind, noun in NOUNS.items() if kind in kinds and kind not in ("ndarray", "tensor", "iterator")]
    numbers = _NUMBERS & kinds
    if numbers >= {"int", "float", "bool"}:
        shown = ["a number", *(noun for noun in shown if noun not in {NOUNS[kind] for kind in numbers})]
    elif numbers >= {"int", "bool"}:
        shown.remove(NOUNS["bool"])
    return " or ".join(shown)


def call_with(name: str, parameter: str, kind: str | None) -> Any:
    """Call an operation with small arguments, the parameter's of a kind; of one that it takes when that is None."""
    entry = api.lookup(name)
    signatures = () if entry is None else entry.signatures
    signature = next(s for s in signatures if any(p.name == parameter for p in s.parameters))
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for each in signature.parameters:
        if each.kind == "var-keyword" or (each.name != parameter and each.default is not None):
            continue
        value = _sample(name, each, kind if each.name == parameter else None)
        if each.default is None and each.kind != "keyword-only":
            positional.append(value)
        else:
            keywords[each.name] = value
    return _callable(name)(*positional, **keywords)


def _sample(name: str, parameter: api.Parameter, kind: str | None) -> Any:
    import mlx.core as mx
    import numpy as np

    samples: dict[str, Any] = {
        "str": "a,a->a" if name == "mlx.core.einsum" else "sample", "file": "sample", "device": mx.cpu,
        "array": mx.array([0]), "int": 1, "float": 1.5, "bool": True, "complex": 1j, "list": [0], "tuple": (0,),
        "set": {0}, "generator": (i for i in range(1)), "dict": {"a": mx.array([0])}, "ndarray": np.zeros((1,)),
        "tensor": np.zeros((1,)), "iterator": iter([0]),
    }  # fmt: skip
    if kind is None and parameter.annotation == "list[array]":
        return [mx.array([0])]
    wanted = [kind] if kind is not None else [k for k in samples if k in (accepted_kinds(name, parameter) or ())]
    return samples[wanted[0]] if wanted else samples["array"]


def _callable(name: str) -> Any:
    import mlx.core as mx

    owner, _, member = name.rpartition(".")
    if owner == "mlx.core.array":
        return getattr(mx.array([0]), member)
    return getattr(importlib.import_module(owner), member)
