"""What rules about ``nn.Module`` subclasses share."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode, FunctionCode
from mlxlint.model.values import Array, Class, Dict, Instance, Name, Sequence, Value, members
from mlxlint.rule import Replace

Store = cst.Assign | cst.AnnAssign

PARAMETRIC = frozenset(
    "mlx.nn." + name
    for name in """Linear Bilinear Embedding Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d
    BatchNorm LayerNorm RMSNorm GroupNorm PReLU RNN GRU LSTM MultiHeadAttention Transformer TransformerEncoder
    TransformerDecoder TransformerEncoderLayer TransformerDecoderLayer QuantizedLinear QuantizedEmbedding""".split()
)
MODE_DEPENDENT = frozenset({"mlx.nn.Dropout", "mlx.nn.Dropout2d", "mlx.nn.Dropout3d", "mlx.nn.BatchNorm"})


def is_module(value: Value) -> bool:
    """Whether a value is an MLX module, of ``mlx.nn`` or of the project."""
    if not isinstance(value, Instance):
        return False
    return value.code.is_mlx_module if value.code is not None else value.type.startswith("mlx.nn.")


def owns_parameters(value: Value) -> bool:
    """Whether a value surely is, or holds, a module with parameters."""
    return any(_owns(member, ()) for member in members(value))


def _owns(value: Value, seen: tuple[ClassCode, ...]) -> bool:
    if isinstance(value, Sequence):
        return _owns(value.joined(), seen)
    if isinstance(value, Dict):
        return any(_owns(item, seen) for item in (*value.items.values(), value.element))
    if not isinstance(value, Instance):
        return False
    if value.code is None:
        return value.type in PARAMETRIC or any(
            _owns(arg, seen) for arg in value.args if value.type == "mlx.nn.Sequential"
        )
    return value.code not in seen and class_owns_parameters(value.code, seen)


def class_owns_parameters(code: ClassCode, seen: tuple[ClassCode, ...] = ()) -> bool:
    """Whether objects of a class of the project surely hold parameters."""
    own, outside = code.ancestry()
    if not code.is_mlx_module:
        return False
    if any(name in PARAMETRIC for name in outside):
        return True
    stored = [(n, v) for c in own for n, v in c.attributes.items() if not n.startswith("_")]
    return any(isinstance(v, Array) or _owns(v, (*seen, code)) for _, v in stored)


def constructed_class(call: cst.Call, context: Context) -> Value | None:
    """The module class that a call constructs, if it does."""
    called = context.called(call)
    if isinstance(called, Class):
        return called if called.code.is_mlx_module else None
    if (
        isinstance(called, Name)
        and called.receiver is None
        and called.name.startswith("mlx.nn.")
        and called.name.count(".") == 2
    ):
        return called if called.name[7:8].isupper() else None
    return None


def constructs_module(node: cst.CSTNode, context: Context) -> bool:
    """Whether an expression calls a module class somewhere."""
    return any(
        isinstance(found, cst.Call) and constructed_class(found, context) is not None for found in tree.walk(node)
    )


def stored_on_self(node: Store, context: Context, method: str | None = "__init__") -> Iterator[tuple[str, ClassCode]]:
    """Attribute name and class for each ``self.name = …`` of a module's method (``method`` None: any)."""
    for name, owner, function in context.shared(_stored, node):
        if method is None or function.name == method:
            yield name, owner


def _stored(node: cst.CSTNode, context: Context) -> list[tuple[str, ClassCode, FunctionCode]]:
    assert isinstance(node, (cst.Assign, cst.AnnAssign))
    targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
    dotted = [t for t in targets if isinstance(t, cst.Attribute) and isinstance(t.value, cst.Name)]
    function = context.enclosing_function(node) if dotted else None
    owner = None if function is None else function.owner
    if function is None or owner is None or not function.positional or not owner.is_mlx_module:
        return []
    receiver = function.positional[0].name.value
    return [(t.attr.value, owner, function) for t in dotted if t.value.value == receiver]  # type: ignore[attr-defined]


def is_method_of_module(node: cst.CSTNode, context: Context, *names: str) -> bool:
    """Whether a node stands in a method (one of ``names``) of an MLX module."""
    function = context.enclosing_function(node)
    return (
        function is not None and function.name in names and function.owner is not None and function.owner.is_mlx_module
    )


def calls_method_named(node: cst.CSTNode, *names: str) -> bool:
    """Whether ``….name(…)`` stands anywhere below a node."""
    return any(
        isinstance(found, cst.Call) and isinstance(found.func, cst.Attribute) and found.func.attr.value in names
        for found in tree.walk(node)
    )


def iterations(node: cst.For | cst.BaseComp) -> Iterator[tuple[cst.BaseAssignTargetExpression, cst.BaseExpression]]:
    """Target and iterable of a loop, or of each ``for`` of a comprehension."""
    if isinstance(node, cst.For):
        yield node.target, node.iter
        return
    loop: cst.CompFor | None = node.for_in
    while loop is not None:
        yield loop.target, loop.iter
        loop = loop.inner_for_in


def renamed(name: str, new: str, owner: ClassCode, context: Context) -> list[Replace] | None:
    """The edits that give ``self.name`` another name in its class; None when it is also used elsewhere."""
    inside = {id(node): node for node in context.walk(owner.node.body, into_functions=True)}
    uses = [n for n in context.walk(context.tree, into_functions=True) if isinstance(n, cst.Attribute)]
    uses = [node for node in uses if node.attr.value in (name, new)]
    if any(id(node) not in inside or tree.dotted(node) != f"self.{name}" for node in uses):
        return None
    strings = (n.evaluated_value for n in inside.values() if isinstance(n, cst.SimpleString))
    return None if name in strings else [Replace(node.attr, new) for node in uses]
