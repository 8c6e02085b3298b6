from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Scalar, scalar_type
from mlxlint.rule import Evidence, Fixable, Insert, Kind, NodeEdit, NodeFix, Replace, Rule, Severity, agrees, raises

FUNCTIONS = {
    cst.LeftShift: "left_shift", cst.RightShift: "right_shift", cst.BitAnd: "bitwise_and", cst.BitOr: "bitwise_or",
    cst.BitXor: "bitwise_xor",
}  # fmt: skip


class ReflectedBitwise(Rule):
    """A Python number on the left of a bitwise operator

    ## What it does
    Finds `1 << x`, `1 & x`, `True | mask` and the like with a Python integer or bool on the left of an MLX array.

    ## PyTorch and MLX
    PyTorch's tensors take the number from either side. MLX's arrays have `__lshift__`, `__and__`, `__or__` and
    `__xor__`, but not their reflections: `TypeError: unsupported operand type(s)`.

    ## Example
    ```python
    import mlx.core as mx

    powers = 1 << mx.arange(8)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    powers = mx.left_shift(1, mx.arange(8))
    ```

    ## Fix safety
    Safe: it is the function behind the operator.

    ## References
    - [mlx.core.left_shift](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.left_shift.html)
    """

    code = "MLX485"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "MLX arrays do not take a number on the left of `{operator}`: `{expression}`"
    operators = frozenset(FUNCTIONS)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        function = FUNCTIONS[type(node.operator)]
        if context.array(node.right) is None:
            return
        left = context.value(node.left)
        if not isinstance(left, (Const, Scalar)) or scalar_type(left) not in ("int", "bool"):
            return
        mx = context.alias("mlx.core") or "mx"
        edits: list[NodeEdit] = [
            Insert(node, f"{mx}.{function}("), Replace(node.operator, ", "), Insert(node, ")", after=True)
        ]  # fmt: skip
        operator = context.text(node.operator)
        context.report(
            self, node, because=[node.left, node.right], operator=operator, expression=context.brief(node),
            fix=NodeFix(f"Call `{mx}.{function}`", edits), repro={"operator": operator},
        )  # fmt: skip

    @staticmethod
    def repro(operator: Literal["<<", ">>", "&", "|", "^"] = "<<") -> Evidence:
        import mlx.core as mx

        calls = {
            "<<": (lambda x: 1 << x, mx.left_shift, [1, 2, 4]),
            ">>": (lambda x: 1 >> x, mx.right_shift, [1, 0, 0]),
            "&": (lambda x: 1 & x, mx.bitwise_and, [0, 1, 0]),
            "|": (lambda x: 1 | x, mx.bitwise_or, [1, 1, 3]),
            "^": (lambda x: 1 ^ x, mx.bitwise_xor, [1, 0, 3]),
        }
        wrong, right, expected = calls[operator]
        return Evidence(raises(lambda: wrong(mx.arange(3)), TypeError), agrees(right(1, mx.arange(3)), expected))  # type: ignore[no-untyped-call]
