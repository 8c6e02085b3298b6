from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, agrees, differs

WRAPS_BACK = frozenset({"mlx.core.int32", "mlx.core.int16", "mlx.core.int8"})


class UnsignedWraparound(Rule):
    """Subtracting from unsigned indices

    ## What it does
    Finds differences and negations of `uint32` arrays, such as the results of `argmax`, `argmin`, `argsort` and
    `argpartition`.

    ## PyTorch and MLX
    PyTorch returns indices as `int64`, so `argmax(...) - 1` may be -1. MLX returns `uint32`, and a difference of
    unsigned numbers below zero wraps to 4294967295. Python integers do not change the dtype; a signed array on
    either side does.

    ## Example
    ```python
    import mlx.core as mx

    scores = mx.array([[0.9, 0.1], [0.2, 0.8]])
    labels = mx.argmax(scores, axis=-1) - 1
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scores = mx.array([[0.9, 0.1], [0.2, 0.8]])
    labels = mx.argmax(scores, axis=-1).astype(mx.int32) - 1
    ```

    ## Fix safety
    Unsafe: the result becomes `int32`, which is what the arithmetic needs, but code behind it may expect `uint32`.

    ## References
    - [mlx.core.argmax](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.argmax.html)
    """

    code = "MLX451"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{expression}` is computed in uint32: below zero it wraps to 4294967295"
    operators = frozenset({cst.Subtract})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        if not _is_uint32(node, context):
            return
        if (
            context.array(node.left) is None
            or _counts_from_end(node.left, context)
            or constant(context.value(node.right), (int, float)) == 0
            or _wraps_back(node, context)
        ):
            return
        self._report(node, node.left, [node.left, node.right], context)

    def visit_UnaryOperation(self, node: cst.UnaryOperation, context: Context) -> None:
        if isinstance(node.operator, cst.Minus) and _is_uint32(node, context) and not _wraps_back(node, context):
            self._report(node, node.expression, [node.expression], context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        if not isinstance(node.operator, cst.SubtractAssign) or not _is_uint32(node.target, context):
            return
        right = context.array(node.value)
        if (right is None and constant(context.value(node.value), int)) or (
            right is not None and right.dtype == "uint32"
        ):
            self._report(node, node.target, [node.target], context)

    def _report(
        self, node: cst.CSTNode, signed: cst.BaseExpression, because: list[cst.CSTNode], context: Context
    ) -> None:
        fixes = isinstance(signed, (cst.Name, cst.Call, cst.Attribute, cst.Subscript)) and not isinstance(
            node, cst.AugAssign
        )
        mx = context.alias("mlx.core")
        fix = None
        if fixes and mx is not None:
            edits = [Insert(signed, f".astype({mx}.int32)", after=True)]
            fix = NodeFix("Convert to int32 first", edits, Applicability.UNSAFE)
        because = [n for n in because if context.array(n) is not None]
        confidence = 2 if any(_from_indices(n, context) for n in because) else LIKELY
        context.report(self, node, because=because, confidence=confidence, expression=context.brief(node), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        found = mx.argmax(mx.array([[0.9, 0.1], [0.2, 0.8]]), axis=-1)
        hazard = differs((found - 1).astype(mx.float32), [-1.0, 0.0])
        return Evidence(hazard, agrees(found.astype(mx.int32) - 1, [-1, 0]))


def _counts_from_end(node: cst.BaseExpression, context: Context) -> bool:
    """Whether this is ``size - index``, as in ``size - index - 1``: the place counted from the end."""
    subtracts = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Subtract)
    return subtracts and isinstance(node, cst.BinaryOperation) and context.array(node.left) is None


def _is_uint32(node: cst.CSTNode, context: Context) -> bool:
    array = context.array(node)
    return array is not None and array.dtype == "uint32"


def _from_indices(node: cst.CSTNode, context: Context) -> bool:
    array = context.array(node)
    return array is not None and ".arg" in (array.op or "")


def _wraps_back(node: cst.CSTNode, context: Context) -> bool:
    """Whether a narrow signed type is made of the difference at once, which makes it right again."""
    attribute = context.parent(node)
    call = context.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    if not isinstance(call, cst.Call) or not isinstance(attribute, cst.Attribute) or attribute.attr.value != "astype":
        return False
    return context.qualified(context.argument(call, 0, "dtype")) in WRAPS_BACK
