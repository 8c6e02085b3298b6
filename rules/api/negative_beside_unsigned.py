from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, agrees, raises

UNSIGNED = frozenset({"uint8", "uint16", "uint32", "uint64"})
CALLS = frozenset({"where", "maximum", "minimum", "clip", "full"})
_WHOLE = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


class NegativeBesideUnsigned(Rule):
    """A negative number next to an array of unsigned integers

    ## What it does
    Finds `mx.where(found, index, -1)`, `index == -1`, `mx.maximum(index, -1)` and the like where `index` is
    unsigned, as the results of `argmax`, `argsort` and `argpartition` are.

    ## PyTorch and MLX
    PyTorch's indices are `int64`, and -1 serves as "none". MLX's are `uint32`, and a Python number takes the dtype of
    the array beside it: `ValueError: Converting -1 to uint32 would result in overflow`.

    ## Example
    ```python
    import mlx.core as mx

    scores = mx.array([0.1, 0.9])
    best = mx.where(scores.max() > 0.5, mx.argmax(scores), -1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scores = mx.array([0.1, 0.9])
    best = mx.where(scores.max() > 0.5, mx.argmax(scores).astype(mx.int32), -1)
    ```

    ## Fix safety
    Unsafe: the array becomes `int32`, which other code may not expect.

    ## References
    - [mlx.core.argmax](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.argmax.html)
    """

    code = "MLX488"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{number}` does not fit {dtype}, the dtype of `{array}`, and MLX raises"
    calls = CALLS
    operators = frozenset({cst.Add, cst.Multiply})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = (context.callee(node) or "").removeprefix("mlx.core.")
        if name not in CALLS:
            return
        given = [arg.value for arg in context.arguments(node).positional]
        if name == "where" and len(given) == 3:
            self._check(node, given[1], given[2], context)
        elif (name in ("maximum", "minimum") and len(given) == 2) or (name == "clip" and len(given) > 1):
            self._check(node, given[0], given[1], context)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check(node, node.left, node.right, context)

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) == 1 and not isinstance(
            node.comparisons[0].operator, (cst.Is, cst.IsNot, cst.In, cst.NotIn)
        ):
            self._check(node, node.left, node.comparisons[0].comparator, context)

    def _check(self, node: cst.CSTNode, left: cst.BaseExpression, right: cst.BaseExpression, context: Context) -> None:
        for side, other in ((left, right), (right, left)):
            number = constant(context.value(other), int)
            array = context.array(side) if isinstance(number, int) and number < 0 else None
            if array is None or array.dtype not in UNSIGNED:
                continue
            mx = context.alias("mlx.core")
            fix = None
            if mx is not None and isinstance(side, _WHOLE):
                fix = NodeFix(
                    "Make it signed", [Insert(side, f".astype({mx}.int32)", after=True)], Applicability.UNSAFE
                )
            context.report(
                self,
                node,
                because=[side],
                number=context.brief(other),
                dtype=array.dtype,
                array=context.brief(side),
                fix=fix,
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        best, found = mx.argmax(mx.array([0.0, 1.0])), mx.array([True, False])
        hazard = raises(lambda: mx.where(found, best, -1), ValueError, text="overflow")
        return Evidence(hazard, agrees(mx.where(found, best.astype(mx.int32), -1), [1, -1]))
