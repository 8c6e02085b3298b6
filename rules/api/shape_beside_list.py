from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, Array
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    raises,
)

_OTHERS = frozenset({"tensorflow", "keras"})  # whose shapes are no tuples


class ShapeBesideList(Rule):
    """A shape is joined with a list

    ## What it does
    Finds additions of an array's `shape`, or a part of it, and a list: `x.shape[:-1] + [4]`.

    ## PyTorch and MLX
    MLX's shapes were lists in its first releases and are tuples now, as PyTorch's and NumPy's are: a tuple and a list
    cannot be added, and `TypeError` is raised.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    y = x.reshape(x.shape[:-1] + [3, 1])
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    y = x.reshape(x.shape[:-1] + (3, 1))
    ```

    ## Fix safety
    The fix writes a tuple in place of the list, and is safe.

    ## References
    - [mlx.core.array.shape](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.shape.html)
    """

    code = "MLX494"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{shape}` is a tuple, and `{other}` a list: they cannot be added"
    operators = frozenset({cst.Add})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for given, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, cst.List) and (array := _array_of_shape(given)) is not None:
                self._check(array, given, other, context)

    def _check(self, array: cst.BaseExpression, given: cst.BaseExpression, other: cst.List, context: Context) -> None:
        value = context.value(array)
        if not isinstance(value, Array) and (value is not UNKNOWN or context.frameworks & _OTHERS):
            return
        confidence = Confidence.CERTAIN if isinstance(value, Array) else Confidence.LIKELY
        because = [array] if isinstance(value, Array) else []
        inner = ", ".join(context.text(element).removesuffix(",") for element in other.elements)
        text = f"({inner},)" if len(other.elements) == 1 else f"({inner})"
        fix = NodeFix("Write a tuple", [Replace(other, text)], Applicability.SAFE)
        context.report(
            self, other, because=because, confidence=confidence, shape=context.brief(given),
            other=context.brief(other), fix=None if context.is_parenthesised(other) or "#" in inner else fix,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.zeros((2, 3))
        shape, more = x.shape, [1]
        hazard = raises(lambda: x.reshape(shape + more), TypeError)
        return Evidence(hazard, agrees(mx.array(x.reshape((*x.shape, 1)).shape), [2, 3, 1]))


def _array_of_shape(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The array whose shape, whole or in part, an expression is; of a sum, the first operand's."""
    while isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Add):
        node = node.left
    if isinstance(node, cst.Subscript) and len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Slice):
        node = node.value
    return node.value if isinstance(node, cst.Attribute) and node.attr.value == "shape" else None
