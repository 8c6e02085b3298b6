"""What rules about ``nn.losses`` share."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import Array, Function, Sequence, Value, as_array, constant
from mlxlint.rule import Applicability, Insert, NodeEdit, NodeFix, Replace

from .._shared import returned, with_keyword

PREFIX = "mlx.nn.losses."
_OPERATIONS = ("mlx.core.array.", "mlx.core.reshape", "mlx.core.flatten")
# Position of `reduction` and its default.
REDUCTIONS = {
    "binary_cross_entropy": (4, "mean"),
    "cosine_similarity_loss": (4, "none"),
    "cross_entropy": (5, "none"),
    "gaussian_nll_loss": (5, "mean"),
    "hinge_loss": (2, "none"),
    "huber_loss": (3, "none"),
    "kl_div_loss": (3, "none"),
    "l1_loss": (2, "mean"),
    "log_cosh_loss": (2, "none"),
    "margin_ranking_loss": (4, "none"),
    "mse_loss": (2, "mean"),
    "nll_loss": (3, "none"),
    "smooth_l1_loss": (3, "mean"),
    "triplet_loss": (7, "none"),
}


def loss_name(call: cst.Call, context: Context, *names: str) -> str | None:
    """The loss that is called ("cross_entropy") when it is one of ``names`` (default: any), with plain arguments."""
    callee = context.callee(call)
    if callee is None or not callee.startswith(PREFIX) or ArgumentNodes(call).starred:
        return None
    name = callee[len(PREFIX) :]
    return name if name in (names or REDUCTIONS) else None


def reduction(call: cst.Call, context: Context) -> str | None:
    """How a loss is reduced: "none", "mean" or "sum"; None when that is not known."""
    name = loss_name(call, context)
    if name is None:
        return None
    index, default = REDUCTIONS[name]
    given = context.argument(call, index, "reduction")
    return default if given is None else constant(context.value(given), str)


def produced_by(value: Value, *names: str) -> bool:
    """Whether an array is the result of one of the operations or layers, by the last parts of their names."""
    array = as_array(value)
    if array is None or array.op is None:
        return False
    parts = array.op.removesuffix(".__call__").split(".")
    return parts[0] == "mlx" and parts[-1] in names


def index_of(array: Array | None) -> cst.Subscript | None:
    """The expression ``table[index]`` that an array is the result of."""
    if array is not None and array.op == "mlx.core.array.__getitem__" and isinstance(array.node, cst.Subscript):
        return array.node
    return None


def _is_pure(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression may be evaluated twice: it calls MLX's operations at most."""
    calls = [part for part in context.walk(node) if isinstance(part, (cst.Call, cst.NamedExpr, cst.Await))]
    return all(isinstance(call, cst.Call) and (context.callee(call) or "").startswith(_OPERATIONS) for call in calls)


def leaving_out(call: cst.Call, ignored: str, stated: cst.Arg | None, context: Context) -> NodeFix | None:
    """A ``cross_entropy`` that gives labels of a number no weight, and divides a mean by how many others there are.

    Args:
        stated: the argument that names the number, which MLX does not take.
    """
    arguments = ArgumentNodes(call)
    targets, how = arguments.get(1, "targets"), arguments.keywords.get("reduction")
    if targets is None or arguments.get(2, "weights") is not None or not _is_pure(targets.value, context):
        return None
    core, labels, mean = context.importing("mlx.core", "mx"), context.text(targets.value), reduction(call, context)
    if core is None or (mean == "mean" and how is None) or mean is None:
        return None
    mx, imports = core
    counted = f"{labels} != {ignored}"
    edits: list[NodeEdit] = [*imports, Replace(targets.value, f"{mx}.where({counted}, {labels}, 0)")]
    weights = f"weights={counted}"
    edits.append(with_keyword(call, weights, context) if stated is None else Replace(stated, weights))
    if mean == "mean" and how is not None:
        total = f" / ({counted}).sum())"
        edits += [Insert(call, "("), Replace(how.value, '"sum"'), Insert(call, total, after=True)]
    return NodeFix("Give the ignored labels no weight", edits, Applicability.UNSAFE)


def is_one_hot(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is rows with a single 1: ``mx.eye(n)[labels]``, ``labels[:, None] == mx.arange(n)``."""
    array = context.array(node)
    if array is None or array.node is None:
        return False
    table = index_of(array)
    if table is not None:
        return produced_by(context.value(table.value), "eye", "identity")
    made = array.node
    if isinstance(made, cst.Comparison) and array.op == "operator.==":
        sides = (made.left, made.comparisons[0].comparator)
        return any(produced_by(context.value(side), "arange") for side in sides)
    if isinstance(made, cst.Call) and isinstance(made.func, cst.Attribute) and made.func.attr.value == "astype":
        return is_one_hot(made.func.value, context)
    return False


def first(node: cst.BaseExpression) -> cst.BaseExpression:
    """What a gradient is taken of: of several results the first."""
    return node.elements[0].value if isinstance(node, cst.Tuple) and node.elements else node


def unreduced(node: cst.CSTNode | None, context: Context, depth: int = 8) -> Iterator[cst.Call]:
    """The losses of this file, not reduced, from which an expression is computed element by element."""
    if node is None or depth == 0:
        return
    if isinstance(node, cst.BinaryOperation):
        yield from unreduced(node.left, context, depth - 1)
        yield from unreduced(node.right, context, depth - 1)
        return
    value = context.value(node)
    if isinstance(value, Sequence) and value.items:
        value = value.items[0]
    array = as_array(value, optional=False)
    if array is None or array.op is None:
        if isinstance(node, cst.Call):
            yield from _through(node, context, depth)
        return
    origin = array.node
    if array.op.startswith(PREFIX) and isinstance(origin, cst.Call) and context.value(origin) is not None:
        if reduction(origin, context) == "none" and not _is_scalar_target(origin, context):
            yield origin
    elif array.op.startswith("operator.") and origin is not node:
        yield from unreduced(origin, context, depth - 1)


def _through(call: cst.Call, context: Context, depth: int) -> Iterator[cst.Call]:
    called = context.called(call)
    if isinstance(called, Function) and called.code.module is context.module:
        for expression in returned(called.code):
            yield from unreduced(first(expression), context, depth - 1)


def _is_scalar_target(call: cst.Call, context: Context) -> bool:
    target = context.array(context.argument(call, 1, "targets"))
    return target is not None and target.shape == ()
