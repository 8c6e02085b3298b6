from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import operand

PRODUCTS = frozenset({"matmul", "inner", "tensordot", "einsum", "addmm"})
EXACT = frozenset((*dtypes.INTEGERS, "bool_"))


class IntegerMatmul(Rule):
    """Matrix product of integer arrays

    ## What it does
    Finds `@`, `matmul`, `einsum`, `inner` and `tensordot` of arrays that are all of integer or boolean dtype.

    ## PyTorch and MLX
    PyTorch multiplies integer matrices. MLX's matrix product knows floating-point and complex types only and raises
    `ValueError`.

    ## Example
    ```python
    import mlx.core as mx

    seen = mx.array([[1, 0], [1, 1]])
    together = seen.T @ seen
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    seen = mx.array([[1, 0], [1, 1]]).astype(mx.float32)
    together = (seen.T @ seen).astype(mx.int32)
    ```

    ## Fix safety
    The fix multiplies the matrices as `float32`. It is unsafe: the product is then no longer of an integer type,
    and sums beyond 16777216 are rounded.

    ## References
    - [mlx.core.matmul](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.matmul.html)
    """

    code = "MLX465"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{product}` multiplies matrices of {dtype}: MLX only does so with floating-point types"
    calls = PRODUCTS
    operators = frozenset({cst.MatrixMultiply})

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check(node, [node.left, node.right], context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = (context.callee(node) or "").removeprefix("mlx.core.")
        if callee in PRODUCTS and not any(arg.star for arg in node.args):
            operands = [arg.value for arg in node.args if arg.keyword is None]
            self._check(node, operands[1:] if callee == "einsum" else operands[:2], context)

    def _check(self, node: cst.BaseExpression, operands: list[cst.BaseExpression], context: Context) -> None:
        found = [_exact(operand, context) for operand in operands]
        if len(found) > 1 and None not in found:
            dtype = next((d for d in found if d != "bool_"), "bool_") or "int32"
            context.report(
                self,
                node,
                because=operands,
                product=context.brief(node),
                dtype=dtype.rstrip("_"),
                repro={"dtype": dtype},
                fix=_as_floats(operands, context),
            )

    @staticmethod
    def repro(dtype: str = "int32") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1, 0], [1, 1]]).astype(getattr(mx, dtype))
        hazard = raises(lambda: x @ x, ValueError, text="inexact")
        return Evidence(
            hazard, agrees((x.astype(mx.float32) @ x.astype(mx.float32)).astype(mx.int32), [[1, 0], [2, 1]])
        )


def _as_floats(operands: list[cst.BaseExpression], context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    if core is None:
        return None
    mx, imports = core
    edits = [Replace(node, f"{operand(node, context)}.astype({mx}.float32)") for node in operands]
    return NodeFix("Multiply as float32", [*imports, *edits], Applicability.UNSAFE)


def _exact(node: cst.BaseExpression, context: Context) -> str | None:
    array = context.array(node)
    return array.dtype if array is not None and array.dtype in EXACT else None
