"""What a transform says of its function's parameters: those used as arrays are arrays.

`mx.compile` takes numbers, lists and dicts besides, so that the use of a parameter decides. Where arithmetic alone
speaks for an array, a number would do as well: `mx.grad` and `mx.vmap` give arrays, `mx.compile` does to the first.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.model import api
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Module

OF_ARRAYS = frozenset("mlx.core.grad mlx.core.value_and_grad mlx.nn.value_and_grad mlx.core.vmap".split())
TRANSFORMS = OF_ARRAYS | {"mlx.core.compile", "mlx.core.checkpoint", "mlx.core.custom_function"}
_CLEAR, _ARITHMETIC, _OTHER = range(3)
_OF_TENSORS = frozenset(  # those methods that neither arrays nor containers have
    """add add_ argsort bmm chunk clamp clone contiguous cpu cuda detach div double expand float gather half int
    long masked_fill masked_fill_ matmul mm mul mul_ narrow norm numel numpy permute pow relu requires_grad_ scatter
    sigmoid size softmax sub tanh to type_as unbind unsqueeze view""".split()
)
_NEITHER = frozenset({"range", "len", "int", "float", "isinstance", "enumerate", "zip", "list", "tuple", "str"})


def array_parameters(code: FunctionCode, transform: str) -> set[str]:
    """The parameters of a function that are arrays when it is transformed, by their uses in its body."""
    uses: dict[str, set[int]] = {}
    for name, use in _uses(code.node.body, {n for n, v in code.module.env.items() if _is_mlx(v)}):
        uses.setdefault(name, set()).add(use)
    places = [param.name.value for param in code.parameters]
    first = 1 if code.owner is not None and not code.is_static else 0
    found = set()
    for i, name in enumerate(places):
        seen = uses.get(name, set())
        vague = transform not in OF_ARRAYS and i != first
        if _OTHER not in seen and (_CLEAR in seen or (_ARITHMETIC in seen and not vague)):
            found.add(name)
    return found


def _is_mlx(value: object) -> bool:
    return isinstance(value, Module) and value.name in ("mlx.core", "mlx.nn", "mlx.nn.losses", "mlx.core.fast")


def _uses(body: cst.CSTNode, mlx: set[str]) -> Iterator[tuple[str, int]]:
    """Each name that is used in a way that tells something, with what it tells."""
    for node in walk(body):
        if isinstance(node, cst.Attribute):
            of_arrays = node.attr.value in api.members("mlx.core.array") or node.attr.value in _OF_TENSORS
            yield from _use(node.value, _CLEAR if of_arrays else _OTHER)
        elif isinstance(node, cst.BinaryOperation):
            clear = isinstance(node.operator, cst.MatrixMultiply)
            for side in (node.left, node.right):
                yield from _use(side, _CLEAR if clear else _ARITHMETIC)
        elif isinstance(node, cst.Comparison):
            for operand in (node.left, *(c.comparator for c in node.comparisons)):
                tests = isinstance(node.comparisons[0].operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn))
                yield from () if tests else _use(operand, _ARITHMETIC)
        elif isinstance(node, cst.UnaryOperation) and not isinstance(node.operator, cst.Not):
            yield from _use(node.expression, _ARITHMETIC)
        elif isinstance(node, cst.Subscript):
            yield from _use_in_subscript(node)
        elif isinstance(node, cst.Call):
            yield from _use_in_call(node, mlx)
        elif isinstance(node, cst.Assign) and isinstance(node.targets[0].target, (cst.Tuple, cst.List)):
            yield from _use(node.value, _OTHER)
        elif isinstance(node, (cst.For, cst.CompFor)):
            yield from _use(node.iter, _OTHER)
        elif isinstance(node, (cst.If, cst.IfExp, cst.While)):
            yield from _use(node.test, _OTHER)


def _use(node: cst.CSTNode, what: int) -> Iterator[tuple[str, int]]:
    if isinstance(node, cst.Name):
        yield node.value, what


def _use_in_subscript(node: cst.Subscript) -> Iterator[tuple[str, int]]:
    """Indexing with several indices or slices is for arrays; with a string it is not, with a number for lists too."""
    parts = [element.slice for element in node.slice]
    index = parts[0].value if isinstance(parts[0], cst.Index) else None
    if isinstance(index, (cst.SimpleString, cst.FormattedString)):
        yield from _use(node.value, _OTHER)
    elif len(parts) > 1 or isinstance(index, cst.Ellipsis) or (isinstance(index, cst.Name) and index.value == "None"):
        yield from _use(node.value, _CLEAR)
    for part in parts:
        if isinstance(part, cst.Slice):
            for bound in (part.lower, part.upper, part.step):
                yield from () if bound is None else _use(bound, _OTHER)


def _use_in_call(node: cst.Call, mlx: set[str]) -> Iterator[tuple[str, int]]:
    name = dotted(node.func) or ""
    root, _, short = name.partition(".")
    yield from _use(node.func, _OTHER)
    for i, arg in enumerate(node.args):
        if name in _NEITHER or short.endswith(("reshape", "broadcast_to", "zeros", "ones", "full", "arange", "eye")):
            yield from _use(arg.value, _OTHER if i or root not in mlx or not short.endswith("reshape") else _CLEAR)
        elif i == 0 and root in mlx and short and arg.keyword is None and not arg.star:
            yield from _use(arg.value, _ARITHMETIC)
        elif arg.star:
            yield from _use(arg.value, _OTHER)
