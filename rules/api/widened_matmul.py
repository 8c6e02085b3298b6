from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown
from mlxlint.rules._operations import operand

PRODUCTS = frozenset({"mlx.core.matmul", "mlx.core.array.matmul"})


class WidenedMatmul(Rule):
    """A matrix product of two floating-point types

    ## What it does
    Finds `a @ b` and `mx.matmul(a, b)` where the arrays are known to be of different floating-point dtypes.

    ## PyTorch and MLX
    PyTorch raises: `expected m1 and m2 to have the same dtype`. MLX converts both to the wider dtype, `float32` for
    `float16` beside `bfloat16`, and everything computed from the result stays wide: twice the memory, half the speed.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((4, 8), dtype=mx.bfloat16)
    w = mx.ones((8, 8))
    y = x @ w
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((4, 8), dtype=mx.bfloat16)
    w = mx.ones((8, 8))
    y = x @ w.astype(x.dtype)
    ```

    ## Fix safety
    Unsafe: the product is computed in the narrower dtype then.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX426"
    kind = Kind.COST
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
    message = "`{narrow}` is {dtype} and `{wide}` {other}: the product is {result}"
    calls = frozenset({"matmul"})
    operators = frozenset({cst.MatrixMultiply})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check(node, node.left, node.right, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == "mlx.core.matmul" and len(node.args) == 2 and not any(a.star for a in node.args):
            self._check(node, node.args[0].value, node.args[1].value, context)

    def _check(
        self, node: cst.BaseExpression, left: cst.BaseExpression, right: cst.BaseExpression, context: Context
    ) -> None:
        a, b, product = context.array(left), context.array(right), context.array(node)
        if a is None or b is None or product is None or product.dtype is None or a.dtype == b.dtype:
            return
        if a.dtype not in dtypes.FLOATS or b.dtype not in dtypes.FLOATS:
            return
        wide, narrow = (left, right) if a.dtype == product.dtype else (right, left)
        cast = f"{operand(wide, context)}.astype({context.brief(narrow, 200)}.dtype)"
        if not isinstance(narrow, (cst.Name, cst.Attribute)):
            cast = f"{operand(wide, context)}.astype({operand(narrow, context)}.dtype)"
        context.report(
            self, node, because=[left, right], narrow=context.brief(narrow), wide=context.brief(wide),
            dtype=(a if narrow is left else b).dtype, other=(b if narrow is left else a).dtype, result=product.dtype,
            repro={"left": a.dtype, "right": b.dtype},
            fix=NodeFix("Multiply in the narrower dtype", [Replace(wide, cast)], Applicability.UNSAFE),
        )  # fmt: skip

    @staticmethod
    def repro(left: str = "bfloat16", right: str = "float32") -> Evidence:
        import mlx.core as mx

        with mx.stream(mx.cpu):
            x, w = mx.ones((1, 1), dtype=getattr(mx, left)), mx.ones((1, 1), dtype=getattr(mx, right))
            product, kept = (x @ w).dtype, (x @ w.astype(x.dtype)).dtype
        wider = product not in (x.dtype, w.dtype) or product.size > min(x.dtype.size, w.dtype.size)
        return Evidence(shown(wider, f"{left} @ {right}: {product}"), shown(kept == x.dtype, f"cast: {kept}"))
