from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.ops import DTYPE, FLOAT_LIMITS, INTEGER_LIMITS
from mlxlint.model.values import Instance, Name, Value
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import operand
from mlxlint.rules.api._guards import is_guarded


class Instead(NamedTuple):
    """What MLX has for an attribute: in words, and as text with ``{it}`` for the object and ``{mx}``."""

    words: str
    text: str | None = None
    called: bool = False  # it is a method in PyTorch


OF_DTYPES: Mapping[str, Instead] = {
    "is_floating_point": Instead("`mx.issubdtype(dtype, mx.floating)`", "{mx}.issubdtype({it}, {mx}.floating)"),
    "is_complex": Instead("`mx.issubdtype(dtype, mx.complexfloating)`", "{mx}.issubdtype({it}, {mx}.complexfloating)"),
    "is_signed": Instead("`not mx.issubdtype(dtype, mx.unsignedinteger)` but for bools"),
    "itemsize": Instead("`size`", "{it}.size"),
    "to_real": Instead("dtypes of MLX have no such method", called=True),
    "to_complex": Instead("`mx.complex64` is the only complex dtype", "{mx}.complex64", True),
    "name": Instead('`str(dtype)` gives "mlx.core.float32"'),
    "kind": Instead("`mx.issubdtype` asks for the kind"),
}
OF_FLOAT_LIMITS: Mapping[str, Instead] = {
    "tiny": Instead("`smallest_normal`", "{it}.smallest_normal"),
    "resolution": Instead("`eps` is near it"),
}
OF_INTEGER_LIMITS: Mapping[str, Instead] = {"bits": Instead("`8 * dtype.size`")}
OF_SHAPES: Mapping[str, Instead] = {"numel": Instead("`x.size` is the number of elements", called=True)}
OBJECTS: Mapping[str, tuple[str, Mapping[str, Instead]]] = {
    "dtype": ("dtypes", OF_DTYPES),
    "finfo": ("`mx.finfo`", OF_FLOAT_LIMITS),
    "iinfo": ("`mx.iinfo`", OF_INTEGER_LIMITS),
    "shape": ("shapes, which are tuples,", OF_SHAPES),
}
NAMES = frozenset(name for _, attributes in OBJECTS.values() for name in attributes)


class TorchObjectAttribute(Rule):
    """An attribute that PyTorch's dtypes, shapes and number limits have, and MLX's have not

    ## What it does
    Finds `x.dtype.is_floating_point`, `dtype.itemsize`, `mx.finfo(dtype).tiny`, `x.shape.numel()` and the like.

    ## PyTorch and MLX
    Beside tensors, PyTorch has classes for dtypes, sizes and number limits with methods of their own. In MLX a dtype
    only has a `size`, and a shape is a plain tuple: anything else raises `AttributeError`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((2, 2))
    scale = 0.5 if x.dtype.is_floating_point else 1
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((2, 2))
    scale = 0.5 if mx.issubdtype(x.dtype, mx.floating) else 1
    ```

    ## Fix safety
    Safe: MLX's way of asking gives what PyTorch's does.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX420"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX's {objects} have no `{name}`: {instead}"
    attributes = NAMES

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        name = node.attr.value
        kind = _kind(node.value, context)
        instead = OBJECTS[kind][1].get(name) if kind is not None else None
        if kind is None or instead is None or is_guarded(node, name, context):
            return
        context.report(
            self, node.attr, because=[node.value], objects=OBJECTS[kind][0], name=name, instead=instead.words,
            fix=_fix(node, kind, instead, context), repro={"of": kind, "name": name},
        )  # fmt: skip

    @staticmethod
    def repro(of: str = "dtype", name: str = "is_floating_point") -> Evidence:
        import mlx.core as mx

        objects: Mapping[str, Callable[[], Any]] = {
            "dtype": lambda: mx.float32, "finfo": lambda: mx.finfo(mx.float32), "iinfo": lambda: mx.iinfo(mx.int32),
            "shape": lambda: mx.ones((2, 3)).shape,
        }  # fmt: skip
        hazard = raises(lambda: getattr(objects[of](), name), AttributeError)
        return Evidence(hazard, agrees(mx.issubdtype(mx.float32, mx.floating), True))


def _kind(node: cst.BaseExpression, context: Context) -> str | None:
    """Which of the objects an expression is."""
    if isinstance(node, cst.Attribute) and node.attr.value == "shape":
        return "shape" if context.array(node.value) is not None else None
    return _kind_of(context.value(node))


def _kind_of(value: Value) -> str | None:
    if isinstance(value, Instance):
        return {DTYPE: "dtype", FLOAT_LIMITS: "finfo", INTEGER_LIMITS: "iinfo"}.get(value.type)
    if isinstance(value, Name) and value.receiver is None and value.name.startswith("mlx.core."):
        return "dtype" if value.name[9:] in dtypes.DTYPES else None
    return None


def _fix(node: cst.Attribute, kind: str, instead: Instead, context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    call = context.parent(node)
    whole = call if isinstance(call, cst.Call) and call.func is node else None
    if core is None or (whole is not None) is not instead.called or (whole is not None and whole.args):
        return None
    mx, imports = core
    if kind == "shape":
        array = cst.ensure_type(node.value, cst.Attribute).value
        text = f"{operand(array, context)}.size"
    elif instead.text is not None:
        text = instead.text.format(it=operand(node.value, context), mx=mx)
    else:
        return None
    return NodeFix("Ask as MLX does", [*(imports if mx in text else ()), Replace(whole or node, text)])
