from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import CERTAIN, LIKELY, UNKNOWN, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

LARGEST = 65504.0  # of float16
_MASK = re.compile(r"mask|pad|bias", re.IGNORECASE)
_SETTINGS = re.compile(r"config|arg|cfg|setting|option|self|^cls$", re.IGNORECASE)
NEVER = 1e6  # beyond this a constant stands for minus infinity


class HalfPrecisionMask(Rule):
    """A mask constant that float16 cannot hold

    ## What it does
    Finds constants such as `-1e9` in masks that get their dtype from activations: multiplied with an array of
    float16, or filled with `dtype=x.dtype`.

    ## PyTorch and MLX
    Code that was tried in float32 uses -1e9 for "never attend". In float16, the usual dtype of converted MLX
    weights, it is minus infinity: `(1 - mask) * -1e9` has NaN wherever the mask is one, since 0 times infinity is
    NaN, and rows that are masked whole become NaN.

    ## Example
    ```python
    import mlx.core as mx

    keep = mx.array([1, 0]).astype(mx.float16)
    bias = (1.0 - keep) * -1e9
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    keep = mx.array([1, 0]).astype(mx.float16)
    bias = mx.where(keep == 1, 0.0, mx.finfo(keep.dtype).min)
    ```

    ## References
    - [mlx.core.finfo](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.finfo.html)
    """

    code = "MLX472"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{constant}` is infinite in float16, {whose}: products with it, and rows masked whole, become NaN"
    calls = frozenset({"full"})
    operators = frozenset({cst.Multiply})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            array = context.array(side)
            if array is not None and _too_large(other, context):
                if array.dtype == "float16":
                    self._report(node, side, other, "the dtype of the mask", CERTAIN, context)
                elif array.dtype is None and (origin := _cast_like(side, context)) is not None:
                    self._report(node, side, other, f"a dtype that `{origin}` may be", LIKELY, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.full":
            return
        value, dtype = context.argument(node, 1, "vals"), context.argument(node, 2, "dtype")
        if value is None or dtype is None or not _too_large(value, context):
            return
        if context.qualified(dtype) == "mlx.core.float16":
            self._report(node, node, value, "the dtype stated", CERTAIN, context)
        elif is_dtype_of_unknown(dtype, context) and _too_large(value, context, NEVER):
            if _is_picked(node, context) and not _meets_another(node, context):
                return
            self._report(node, node, value, f"a dtype that `{context.brief(dtype)}` may be", LIKELY, context)

    def _report(
        self,
        node: cst.CSTNode,
        because: cst.CSTNode,
        value: cst.BaseExpression,
        whose: str,
        confidence: int,
        context: Context,
    ) -> None:
        context.report(self, node, because=[because], confidence=confidence, constant=context.brief(value), whose=whose)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        keep = mx.array([1.0, 0.0]).astype(mx.float16)
        bias, safe = (1.0 - keep) * -1e9, mx.where(keep == 1, 0.0, mx.finfo(mx.float16).min)
        hazard = shown(mx.isnan(bias).any().item(), f"(1 - mask) * -1e9 in float16: {bias.tolist()}")
        return Evidence(hazard, shown(not mx.isnan(safe).any().item(), f"with finfo: {safe.tolist()}"))


def _too_large(node: cst.BaseExpression, context: Context, limit: float = LARGEST) -> bool:
    number = constant(context.value(node), (int, float))
    return isinstance(number, (int, float)) and limit < abs(number) < float("inf")


def _is_picked(node: cst.Call, context: Context) -> bool:
    """Whether the array goes to an operation that puts its values in some places, where infinity is as good."""
    call = context.parent(context.parent(node) or node)
    return isinstance(call, cst.Call) and context.callee(call) in ("mlx.core.triu", "mlx.core.tril", "mlx.core.where")


def _meets_another(node: cst.Call, context: Context) -> bool:
    """Whether the mask, under the name it is given, is added to another one: together they may hide whole rows."""
    statement = context.enclosing(node, cst.Assign)
    target = None if statement is None else statement.targets[0].target
    function = context.enclosing_function(node)
    if not isinstance(target, cst.Name) or function is None:
        return False
    for sum_ in context.nodes(function.node.body, cst.BinaryOperation):
        if isinstance(sum_.operator, cst.Add):
            names = [_root(side) for side in (sum_.left, sum_.right)]
            if target.value in names and any(name != target.value and _MASK.search(name) for name in names):
                return True
    return False


def _root(node: cst.BaseExpression) -> str:
    """The name of what is added, new axes and the like apart."""
    while isinstance(node, cst.Subscript):
        node = node.value
    return (dotted(node) or "").rpartition(".")[2]


def _cast_like(node: cst.BaseExpression, context: Context) -> str | None:
    """The ``x.dtype`` to which something in an expression is cast."""
    for found in walk(node):
        if isinstance(found, cst.Call) and context.callee(found) == "mlx.core.array.astype":
            dtype = context.argument(found, 0, "dtype")
            if dtype is not None and is_dtype_of_unknown(dtype, context):
                return context.brief(dtype)
    return None


def is_dtype_of_unknown(node: cst.BaseExpression, context: Context) -> bool:
    """Whether this is the dtype of an array whose dtype is not known: an activation."""
    if not isinstance(node, cst.Attribute) or node.attr.value != "dtype":
        return False
    value = context.value(node.value)
    if value is UNKNOWN:  # what hands its dtype to an operation of MLX's has one of MLX's
        return not _SETTINGS.search(_root(node.value) or "config")
    array = context.array(node.value)
    return array is not None and array.dtype is None
