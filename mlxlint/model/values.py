"""Abstract values: what an expression may be, as far as the source tells.

Values are immutable. ``UNKNOWN`` is never guessed into a finding. Every value carries a confidence and, where it is
worth telling, the ``node`` that produced it (the expression itself), from which a reader is told *why* it is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

import libcst as cst

if TYPE_CHECKING:
    from mlxlint.model.code import ClassCode, FunctionCode, ModuleCode

CERTAIN, LIKELY, POSSIBLE = 2, 1, 0


class Value:
    """Base of all abstract values. ``confidence`` is CERTAIN, LIKELY or POSSIBLE."""

    __slots__ = ("confidence", "node")
    _fields: ClassVar[tuple[str, ...]] = __slots__
    confidence: int
    node: cst.CSTNode | None

    def __init__(self, confidence: int = CERTAIN, node: cst.CSTNode | None = None) -> None:
        self.confidence = confidence
        self.node = node

    def key(self) -> tuple[Any, ...]:
        """What makes two values the same, confidence and place apart."""
        return (type(self),)

    def __init_subclass__(cls) -> None:
        cls._fields = (*cls._fields, *vars(cls)["__slots__"])

    def with_(self, **changes: Any) -> Any:
        """A copy with some attributes changed."""
        copy = object.__new__(type(self))
        for name in self._fields:
            setattr(copy, name, getattr(self, name))
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy

    def __repr__(self) -> str:
        fields = [repr(part) for part in self.key()[1:] if part is not None]
        return f"{type(self).__name__}({', '.join(fields)})"


class Unknown(Value):
    __slots__ = ()


class Never(Value):
    """Of a name in a branch that no alternative of it can reach: joins with anything to that."""

    __slots__ = ()


UNKNOWN = Unknown()
NEVER = Never()


class Const(Value):
    """A literal: int, float, complex, str, bytes, bool, None or Ellipsis."""

    __slots__ = ("value",)

    def __init__(self, value: Any, confidence: int = CERTAIN, node: cst.CSTNode | None = None) -> None:
        super().__init__(confidence, node)
        self.value = value

    def key(self) -> tuple[Any, ...]:
        return (Const, type(self.value), repr(self.value))


NONE = Const(None)


class Dim:
    """A symbolic array dimension: equal only to itself. ``name`` is how the source calls it, if it does."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name or "?"


Size = int | Dim | None
Shape = tuple[Size, ...]


class Scalar(Value):
    """A Python scalar whose value is not known: ``type`` is int, float, bool, str, bytes or complex.

    ``dim`` is set on an int that is a dimension of an array.
    """

    __slots__ = ("dim", "type")

    def __init__(self, type: str, confidence: int = CERTAIN, node: cst.CSTNode | None = None, dim: Dim | None = None):
        super().__init__(confidence, node)
        self.type = type
        self.dim = dim

    def key(self) -> tuple[Any, ...]:
        return (Scalar, self.type, self.dim)


class Array(Value):
    """An ``mlx.core.array``.

    ``dtype``: "float32", "bool_", "int32", ... or None when not known; ``weak`` when it came from a Python scalar.
    ``shape``: tuple of ints, :class:`Dim` or None per axis; None when the rank is not known.
    ``layout``: "channels_first", "channels_last" or None.
    ``op``: qualified name of the operation that made it ("mlx.core.softmax", "mlx.core.array.__getitem__",
    "operator.>", "mlx.nn.Linear.__call__"), ``node`` then being that expression: where the data flow is followed back.
    ``parameter``: it is a (trainable) parameter of a module.
    """

    __slots__ = ("dtype", "layout", "op", "parameter", "shape")

    def __init__(
        self,
        dtype: str | None = None,
        shape: Shape | None = None,
        layout: str | None = None,
        op: str | None = None,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
        parameter: bool = False,
    ) -> None:
        super().__init__(confidence, node)
        self.dtype, self.shape, self.layout, self.op, self.parameter = dtype, shape, layout, op, parameter

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    def key(self) -> tuple[Any, ...]:
        return (Array, self.dtype, self.shape, self.layout, self.op, self.parameter)


class Foreign(Value):
    """An object of another framework: ``type`` is its qualified class ("torch.Tensor", "numpy.ndarray").

    ``dtype`` and ``shape`` as in :class:`Array`, for NumPy arrays and tensors, where known.
    """

    __slots__ = ("dtype", "op", "shape", "type")

    def __init__(
        self,
        type: str,
        dtype: str | None = None,
        shape: Shape | None = None,
        op: str | None = None,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.type, self.dtype, self.shape, self.op = type, dtype, shape, op

    def key(self) -> tuple[Any, ...]:
        return (Foreign, self.type, self.dtype, self.shape, self.op)


class Module(Value):
    """An imported module, by qualified name; ``home`` is the module that imports it, where it is one of the project."""

    __slots__ = ("home", "name")

    def __init__(
        self,
        name: str,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
        home: ModuleCode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.name, self.home = name, home

    def key(self) -> tuple[Any, ...]:
        return (Module, self.name)


class Name(Value):
    """Something imported from outside the project, or a member of it, by qualified name: a function, class, constant.

    ``receiver`` is the object for a method ("mlx.core.array.item" of that array, "mlx.optimizers.SGD.update").
    """

    __slots__ = ("name", "receiver")

    def __init__(
        self, name: str, receiver: Value | None = None, confidence: int = CERTAIN, node: cst.CSTNode | None = None
    ) -> None:
        super().__init__(confidence, node)
        self.name, self.receiver = name, receiver

    def key(self) -> tuple[Any, ...]:
        return (Name, self.name, self.receiver and self.receiver.key())


class Function(Value):
    """A function of the project (or a lambda). ``receiver`` is set on a bound method."""

    __slots__ = ("code", "receiver")

    def __init__(
        self,
        code: FunctionCode,
        receiver: Value | None = None,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.code, self.receiver = code, receiver

    def key(self) -> tuple[Any, ...]:
        return (Function, id(self.code), self.receiver and self.receiver.key())


class Partial(Value):
    """``transform`` applied to ``inner``: "functools.partial", "mlx.nn.value_and_grad", "mlx.core.compile".

    ``args`` and ``keywords`` are what else the transforming call was given (values).
    """

    __slots__ = ("args", "inner", "keywords", "transform")

    def __init__(
        self,
        transform: str,
        inner: Value,
        args: tuple[Value, ...] = (),
        keywords: Mapping[str, Value] = {},
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.transform, self.inner, self.args, self.keywords = transform, inner, args, keywords

    def key(self) -> tuple[Any, ...]:
        return (Partial, self.transform, self.inner.key(), tuple(a.key() for a in self.args))


class Class(Value):
    """A class of the project."""

    __slots__ = ("code",)

    def __init__(self, code: ClassCode, confidence: int = CERTAIN, node: cst.CSTNode | None = None) -> None:
        super().__init__(confidence, node)
        self.code = code

    def key(self) -> tuple[Any, ...]:
        return (Class, id(self.code))


class Instance(Value):
    """An object of a class: ``type`` its qualified name, ``code`` its class when that is the project's own.

    ``args`` and ``keywords`` are the constructor's (values), for classes from outside the project.
    """

    __slots__ = ("args", "code", "keywords", "type")

    def __init__(
        self,
        type: str,
        code: ClassCode | None = None,
        args: tuple[Value, ...] = (),
        keywords: Mapping[str, Value] = {},
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.type, self.code, self.args, self.keywords = type, code, args, keywords

    def key(self) -> tuple[Any, ...]:
        return (
            Instance,
            self.type,
            id(self.code),
            tuple(a.key() for a in self.args),
            tuple((k, v.key()) for k, v in self.keywords.items()),
        )


class Sequence(Value):
    """A list, tuple, set or iterator. ``kind`` is "list", "tuple", "set", "generator" or "iterator".

    ``items`` when each is known, else None and ``element`` joins them.
    """

    __slots__ = ("element", "items", "kind")

    def __init__(
        self,
        kind: str,
        items: tuple[Value, ...] | None = None,
        element: Value = UNKNOWN,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
    ) -> None:
        super().__init__(confidence, node)
        self.kind, self.items, self.element = kind, items, element

    def key(self) -> tuple[Any, ...]:
        items = None if self.items is None else tuple(i.key() for i in self.items)
        return (Sequence, self.kind, items, None if self.items is not None else self.element.key())

    def joined(self) -> Value:
        """What any one element may be."""
        return self.element if self.items is None else join_all(self.items)


class Dict(Value):
    """A dict: ``items`` for the string keys that are known, ``element`` for others; ``closed`` when there are none."""

    __slots__ = ("closed", "element", "items")

    def __init__(
        self,
        items: Mapping[str, Value] = {},
        element: Value = UNKNOWN,
        confidence: int = CERTAIN,
        node: cst.CSTNode | None = None,
        closed: bool = False,
    ) -> None:
        super().__init__(confidence, node)
        self.items, self.element, self.closed = items, element, closed

    def key(self) -> tuple[Any, ...]:
        return (Dict, tuple((k, v.key()) for k, v in sorted(self.items.items())), self.element.key(), self.closed)

    def joined(self) -> Value:
        """What any one value may be."""
        if self.closed:
            return join_all(self.items.values())
        return join_all([*self.items.values(), self.element])

    def store(self, key: str | None, value: Value) -> Dict:
        """The dict after an assignment to a key, or to one that is not known."""
        if key is not None:
            return Dict({**self.items, key: value}, self.element, self.confidence, self.node, self.closed)
        element = value if self.closed else join(self.element, value)
        return Dict(self.items, element, self.confidence, self.node)


class Tree(Value):
    """A nested container of arrays: ``kind`` "parameters", "gradients", "state", "tree"."""

    __slots__ = ("kind",)

    def __init__(self, kind: str = "tree", confidence: int = CERTAIN, node: cst.CSTNode | None = None) -> None:
        super().__init__(confidence, node)
        self.kind = kind

    def key(self) -> tuple[Any, ...]:
        return (Tree, self.kind)


class Either(Value):
    """One of several (2 to 4) values, none of them Unknown or an Either."""

    __slots__ = ("members",)

    def __init__(self, members: tuple[Value, ...], confidence: int = CERTAIN, node: cst.CSTNode | None = None) -> None:
        super().__init__(confidence, node)
        self.members = members

    def key(self) -> tuple[Any, ...]:
        return (Either, frozenset(m.key() for m in self.members))


def members(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value; itself when it has none."""
    return value.members if isinstance(value, Either) else (value,)


def arrays(value: Value) -> Iterator[Array]:
    return (m for m in members(value) if isinstance(m, Array))


def as_array(value: Value, optional: bool = True) -> Array | None:
    """The value as an MLX array if every alternative is one (``None`` apart, when ``optional``); else None."""
    if isinstance(value, Array):
        return value
    if isinstance(value, Either):
        found = [m for m in value.members if not (optional and isinstance(m, Const) and m.value is None)]
        if found and all(isinstance(m, Array) for m in found):
            joined = join_all(found)
            return joined if isinstance(joined, Array) else None
    return None


def constant(value: Value, type: type | tuple[type, ...] = object) -> Any:
    """The Python literal behind a value when it is one of that type, else None. ``bool`` is not an int here."""
    if isinstance(value, Const) and isinstance(value.value, type):
        if isinstance(value.value, bool) and type in (int, (int, float), (float, int)):
            return None
        return value.value
    return None


def string(value: Value) -> bool:
    """Whether the value is surely a ``str``."""
    return all(
        (isinstance(m, Const) and isinstance(m.value, str)) or (isinstance(m, Scalar) and m.type == "str")
        for m in members(value)
    )


def _join_arrays(a: Array, b: Array) -> Array:
    shape = None
    if a.shape is not None and b.shape is not None and len(a.shape) == len(b.shape):
        shape = a.shape if a.shape == b.shape else tuple(x if x == y else None for x, y in zip(a.shape, b.shape))
    return Array(
        a.dtype if a.dtype == b.dtype else None,
        shape,
        a.layout if a.layout == b.layout else None,
        a.op if a.op == b.op else None,
        min(a.confidence, b.confidence),
        a.node if a.node is b.node else (a.node or b.node),
        a.parameter and b.parameter,
    )


MAX_MEMBERS = 4


def join(a: Value, b: Value) -> Value:
    """The least value that covers both, with Unknown absorbing, and width bounded."""
    if a is b or b is NEVER:
        return a
    if a is NEVER:
        return b
    if a is UNKNOWN or b is UNKNOWN:
        return UNKNOWN
    if isinstance(a, Array) and isinstance(b, Array):
        return a if a.key() == b.key() and a.confidence <= b.confidence else _join_arrays(a, b)
    if type(a) is type(b) and a.key() == b.key():
        return a if a.confidence <= b.confidence else b
    if isinstance(a, Sequence) and isinstance(b, Sequence) and a.kind == b.kind:
        if a.items is not None and b.items is not None and len(a.items) == len(b.items):
            items = tuple(join(x, y) for x, y in zip(a.items, b.items))
            return Sequence(a.kind, items, confidence=min(a.confidence, b.confidence), node=a.node)
        if a.items == ():
            return b
        if b.items == ():
            return a
        return Sequence(a.kind, None, join(a.joined(), b.joined()), min(a.confidence, b.confidence), a.node)
    if isinstance(a, Dict) and isinstance(b, Dict):
        return _join_dicts(a, b)
    if isinstance(a, Instance) and isinstance(b, Instance) and _same_layer(a, b):
        return _join_instances(a, b)
    if isinstance(a, (Const, Scalar)) and isinstance(b, (Const, Scalar)):
        left, right = scalar_type(a), scalar_type(b)
        if left is not None and left == right:
            return Scalar(left, min(a.confidence, b.confidence), a.node)
    return _union(a, b)


def _join_dicts(a: Dict, b: Dict) -> Dict:
    items = {k: join(v, b.items[k]) if k in b.items else v for k, v in a.items.items()}
    items.update({k: v for k, v in b.items.items() if k not in items})
    element = a.element if b.closed else b.element if a.closed else join(a.element, b.element)
    return Dict(items, element, min(a.confidence, b.confidence), a.node, a.closed and b.closed)


def _same_layer(a: Instance, b: Instance) -> bool:
    """Whether two objects of one outside class differ in nothing but their constructor's arguments."""
    containers = a.type == "mlx.nn.Sequential" and len(a.args) != len(b.args)
    return a.type == b.type and a.code is None and b.code is None and not containers


def _join_instances(a: Instance, b: Instance) -> Instance:
    """One object with joined constructor arguments; what only one of them was given is not known."""
    args = tuple(join(x, y) for x, y in zip_longest(a.args, b.args, fillvalue=UNKNOWN))
    keywords = {k: join(a.keywords.get(k, UNKNOWN), b.keywords.get(k, UNKNOWN)) for k in (*a.keywords, *b.keywords)}
    return Instance(a.type, None, args, keywords, min(a.confidence, b.confidence), a.node)


def _union(a: Value, b: Value) -> Value:
    found: list[Value] = list(members(a))
    for new in members(b):
        for i, old in enumerate(found):
            if _mergeable(old, new):
                found[i] = join(old, new)
                break
        else:
            found.append(new)
    if len(found) > MAX_MEMBERS:
        return UNKNOWN
    return found[0] if len(found) == 1 else Either(tuple(found), min(m.confidence for m in found))


def _mergeable(a: Value, b: Value) -> bool:
    """Whether the join of two values is one value rather than an alternative of two."""
    if isinstance(a, Sequence) and isinstance(b, Sequence):
        return a.kind == b.kind
    if isinstance(a, (Const, Scalar)) and isinstance(b, (Const, Scalar)):
        return (scalar_type(a) is not None and scalar_type(a) == scalar_type(b)) or a.key() == b.key()
    if isinstance(a, Instance) and isinstance(b, Instance) and _same_layer(a, b):
        return True
    return type(a) is type(b) and (isinstance(a, (Array, Dict)) or a.key() == b.key())


def join_all(values: Any) -> Value:
    result: Value | None = None
    for value in values:
        result = value if result is None else join(result, value)
        if result is UNKNOWN:
            break
    return UNKNOWN if result is None else result


def scalar_type(value: Value) -> str | None:
    """The builtin type's name of a Python scalar, else None."""
    if isinstance(value, Scalar):
        return value.type
    if isinstance(value, Const) and value.value is not None and value.value is not ...:
        return type(value.value).__name__
    return None


def weaker(value: Value, confidence: int) -> Value:
    """The value, held with at most that confidence."""
    return value if value is UNKNOWN or value.confidence <= confidence else value.with_(confidence=confidence)
