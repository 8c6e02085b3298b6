"""Where an array comes from and what is done with it, followed through names, scales, masks and casts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from operator import itemgetter

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import UNKNOWN, Array, constant

_ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide)
_ELEMENTWISE = frozenset("add subtract multiply divide maximum minimum clip".split())
_FAR = 40  # expressions


def operation(node: cst.CSTNode, context: Context) -> str:
    """What a call computes: "softmax" for `mx.softmax(x)`, `x.softmax()` and `nn.softmax(x)`; "" for what is not MLX's.

    A method of something unknown is named too: what an operation of MLX is given is taken to be an array.
    """
    if not isinstance(node, cst.Call):
        return ""
    callee = context.callee(node)
    if callee is None:
        return node.func.attr.value if _is_method(node, context) and isinstance(node.func, cst.Attribute) else ""
    if not callee.startswith(("mlx.core.", "mlx.nn.")):
        return ""
    return callee.removeprefix("mlx.core.array.").removeprefix("mlx.core.").removeprefix("mlx.nn.")


def _is_method(call: cst.Call, context: Context) -> bool:
    """Whether a call is one of a method of an array, or of something unknown."""
    callee = context.callee(call)
    unknown = callee is None and isinstance(call.func, cst.Attribute) and context.value(call.func.value) is UNKNOWN
    return unknown or (callee is not None and callee.startswith("mlx.core.array."))


def subject(call: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The array that a call works on: the receiver of a method, else the first argument."""
    if _is_method(call, context) and isinstance(call.func, cst.Attribute):
        return call.func.value
    return call.args[0].value if call.args and not call.args[0].star else None


def option(call: cst.Call, place: int, name: str, context: Context) -> cst.BaseExpression | None:
    """An argument after the array, of a method or of a function alike."""
    return context.argument(call, place if _is_method(call, context) else place + 1, name)


def on_last_axis(call: cst.Call, context: Context) -> bool:
    axis: int | None = constant(context.value(option(call, 0, "axis", context)), int)
    return axis == -1


def origin(node: cst.BaseExpression, context: Context) -> cst.BaseExpression:
    """The expression that computes what a name stands for; the expression itself when it is no name."""
    value = context.value(node)
    made = value.node if isinstance(value, Array) else None
    if isinstance(made, cst.BaseExpression) and made in context.parents and made is not node:
        return made
    bound = last_bound(node, context) if isinstance(node, cst.Name) else None
    return node if bound is None else bound


def last_bound(name: cst.Name, context: Context) -> cst.BaseExpression | None:
    """What was last assigned to a name above a place in its function; operators that write in place are passed over."""
    code = context.enclosing_function(name)
    assigned, places = context.shared(_assigned, context.tree if code is None else code.node.body)
    above = assigned.get(name.value, [])
    end = bisect_left(above, places[name], key=itemgetter(0)) if name in places else len(above)
    nodes = (above[at][1] for at in range(end - 1, -1, -1))
    return next((node.value for node in nodes if not any(part is name for part in tree.walk(node.value))), None)


def _assigned(
    scope: cst.CSTNode, context: Context
) -> tuple[dict[str, list[tuple[int, cst.Assign]]], dict[cst.CSTNode, int]]:
    """The assignments to each name in a scope, and where in its order these and all names stand."""
    assigned: dict[str, list[tuple[int, cst.Assign]]] = {}
    places: dict[cst.CSTNode, int] = {}
    for place, node in enumerate(context.walk(scope)):
        if type(node) is cst.Name:
            places[node] = place
        elif type(node) is cst.Assign:
            for text in {tree.dotted(target.target) for target in node.targets} - {None}:
                assigned.setdefault(str(text), []).append((place, node))
    return assigned, places


def sources(node: cst.BaseExpression, context: Context) -> Iterator[cst.BaseExpression]:
    """The expressions that an array comes from by nothing but scales, masks, shifts and casts, itself first."""
    seen: set[cst.CSTNode] = set()
    stack = [node]
    while stack and len(seen) < _FAR:
        made = origin(stack.pop(), context)
        if made in seen:
            continue
        seen.add(made)
        yield made
        name = operation(made, context)
        if isinstance(made, cst.BinaryOperation) and isinstance(made.operator, _ARITHMETIC):
            stack += [made.right, made.left]
        elif isinstance(made, cst.IfExp):
            stack += [made.orelse, made.body]
        elif isinstance(made, cst.Call) and name == "where":
            stack += [arg.value for arg in made.args[1:]]
        elif isinstance(made, cst.Call) and name in _ELEMENTWISE | {"astype"}:
            stack += [arg.value for arg in made.args if name != "astype"]
            first = subject(made, context)
            stack += [first] if first is not None else []


def uses(node: cst.BaseExpression, context: Context) -> list[cst.BaseExpression]:
    """The places where a result is used: its own, or those of the name that it is assigned to."""
    parent = context.parent(node)
    if not isinstance(parent, cst.Assign) or len(parent.targets) != 1:
        return [node]
    target = parent.targets[0].target
    if not isinstance(target, cst.Name):
        return []
    code = context.enclosing_function(node)
    found, passed = [], False
    for part in context.walk(context.tree if code is None else code.node.body, into_functions=True):
        passed = passed or part is parent
        is_read = isinstance(part, cst.Name) and part.value == target.value and part is not target
        if passed and is_read and isinstance(part, cst.Name) and origin(part, context) is node:
            found.append(part)
    return list(found)


def is_product(node: cst.CSTNode | None, context: Context) -> bool:
    """Whether an expression is a matrix product."""
    if isinstance(node, cst.BinaryOperation):
        return isinstance(node.operator, cst.MatrixMultiply)
    return node is not None and operation(node, context) in ("matmul", "einsum")
