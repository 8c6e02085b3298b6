from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from .half_precision_mask import is_dtype_of_unknown

SMALLEST = 2.0**-25  # half of float16's least number: what is smaller is zero


class HalfPrecisionEpsilon(Rule):
    """A constant against division by zero that float16 cannot hold

    ## What it does
    Finds constants such as `1e-8` that are zero in float16: added to an array of float16 or compared with one by
    `mx.maximum`, or made by `mx.array(1e-8, dtype=x.dtype)`.

    ## PyTorch and MLX
    Code that was tried in float32 adds 1e-8 before it divides or takes a logarithm. The least number of float16, the
    usual dtype of converted MLX weights, is 6e-8: the constant is zero there, and the guard is none. PyTorch adds it in
    float16 just so; models that run in bfloat16 or float32 there are converted to float16 for MLX.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((4,), dtype=mx.float16)
    inverse = 1.0 / (x + 1e-8)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((4,), dtype=mx.float16)
    inverse = (1.0 / (x.astype(mx.float32) + 1e-8)).astype(x.dtype)
    ```

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX444"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{constant}` is zero in float16, {whose}: it guards against nothing"
    calls = frozenset({"array", "full", "maximum"})
    operators = frozenset({cst.Add})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check_sides(node, node.left, node.right, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee == "mlx.core.maximum" and len(node.args) >= 2:
            self._check_sides(node, node.args[0].value, node.args[1].value, context)
        elif callee in ("mlx.core.array", "mlx.core.full"):
            place = 0 if callee.endswith("array") else 1
            value, dtype = context.argument(node, place, "val", "vals"), context.argument(node, place + 1, "dtype")
            if value is None or dtype is None or not _too_small(value, context):
                return
            if context.qualified(dtype) == "mlx.core.float16":
                context.report(self, node, constant=context.brief(value), whose="the dtype stated")
            elif is_dtype_of_unknown(dtype, context):
                whose = f"a dtype that `{context.brief(dtype)}` may be"
                context.report(self, node, confidence=LIKELY, constant=context.brief(value), whose=whose)

    def _check_sides(
        self, node: cst.BaseExpression, left: cst.BaseExpression, right: cst.BaseExpression, context: Context
    ) -> None:
        for side, other in ((left, right), (right, left)):
            if _too_small(other, context):
                array = context.array(side)
                if array is not None and array.dtype == "float16":
                    whose = f"the dtype of `{context.brief(side)}`"
                    context.report(self, node, because=[side], constant=context.brief(other), whose=whose)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.zeros((1,), dtype=mx.float16)
        guarded, wide = 1.0 / (x + 1e-8), 1.0 / (x.astype(mx.float32) + 1e-8)
        hazard = shown(mx.isinf(guarded).item(), f"1 / (0 + 1e-8) in float16: {guarded.tolist()}")
        return Evidence(hazard, shown(not mx.isinf(wide).item(), f"in float32: {wide.tolist()}"))


def _too_small(node: cst.BaseExpression, context: Context) -> bool:
    number = constant(context.value(node), float)
    return isinstance(number, float) and 0 < abs(number) <= SMALLEST
