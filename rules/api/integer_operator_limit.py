from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, Skipped, agrees, differs, shown
from mlxlint.rules._operations import produced_by

SIGNED = frozenset({"int8", "int16", "int32", "int64"})
COUNTS = ("sum", "count_nonzero")
BITS = {"int8": 7, "uint8": 8, "int16": 15, "uint16": 16, "int32": 31, "uint32": 32}


class IntegerOperatorLimit(Rule):
    """An operator that loses integers

    ## What it does
    Finds shifts of integer arrays by as many bits as they have, integer arrays to a negative power, and arithmetic
    of `uint64` with signed integers.

    ## PyTorch and MLX
    PyTorch's integers are `int64` by default, where `1 << 40` fits; it refuses negative powers of integers, and
    `uint64` next to `int64`. MLX shifts in `int32`, returns 0 for `2 ** -1`, and makes `float32` of `uint64` and
    `int64`, which is exact up to 16777216. Releases before 0.32.4 round integer division towards zero, and die of a
    division by zero: both are found where the project is to run on them.

    ## Example
    ```python
    import mlx.core as mx

    high = mx.array([1, 2])
    key = high << 40
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    high = mx.array([1, 2])
    key = high.astype(mx.int64) << 40
    ```

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX483"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{expression}` {consequence}"
    # the last releases that round towards zero, die of a division by zero, and never return from a negative power
    ROUNDED, HUNG = "0.32.2", "0.32.0"

    calls = frozenset({"power"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == "mlx.core.power" and len(node.args) == 2:
            self._check_power(node, node.args[0].value, node.args[1].value, context)

    def _check_power(
        self, node: cst.BaseExpression, base: cst.BaseExpression, exponent: cst.BaseExpression, context: Context
    ) -> None:
        array, number = context.array(base), constant(context.value(exponent), int)
        if array is not None and isinstance(number, int) and number < 0 and _is_integer(array):
            forever = f", and never returns up to MLX {self.HUNG}" if context.target_mlx.reaches(self.HUNG) else ""
            consequence = f"is 0 beyond 1: `{context.brief(base)}` is {array.dtype}{forever}"
            self._report(node, "power", consequence, context, base)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        operator = node.operator
        if isinstance(operator, cst.Power):
            self._check_power(node, node.left, node.right, context)
        elif isinstance(operator, cst.LeftShift):
            left, number = context.array(node.left), constant(context.value(node.right), int)
            if left is not None and isinstance(number, int) and number >= BITS.get(left.dtype or "", 99):
                consequence = f"shifts all bits out: `{context.brief(node.left)}` is {left.dtype}"
                self._report(node, "shift", consequence, context, node.left)
        elif isinstance(operator, (cst.FloorDivide, cst.Modulo)):
            if context.target_mlx.reaches(self.ROUNDED):
                self._check_division(node, context)
        elif isinstance(operator, (cst.Add, cst.Subtract, cst.Multiply, cst.BitOr, cst.BitXor, cst.BitAnd)):
            sides = [context.array(node.left), context.array(node.right)]
            kinds = {None if side is None else side.dtype for side in sides}
            if "uint64" in kinds and kinds & SIGNED:
                consequence = f"is float32: uint64 with {(kinds - {'uint64'}).pop()}"
                self._report(node, "mixed", consequence, context, node.left, node.right)

    def _check_division(self, node: cst.BinaryOperation, context: Context) -> None:
        """What division did in older releases."""
        left, right = context.array(node.left), context.array(node.right)
        if right is not None and _is_integer(right) and produced_by(right, *COUNTS):
            consequence = f"kills the process where a count is 0, up to MLX {self.ROUNDED}"
            self._report(node, "older", consequence, context, node.left, node.right)
        elif left is not None and left.dtype in SIGNED and left.op in ("operator.-", "mlx.core.negative"):
            if isinstance(node.operator, cst.FloorDivide):
                consequence = f"rounds towards zero up to MLX {self.ROUNDED}, for negative numbers upwards"
                self._report(node, "older", consequence, context, node.left, node.right)

    def _report(
        self, node: cst.BaseExpression, case: str, consequence: str, context: Context, *operands: cst.BaseExpression
    ) -> None:
        because = [operand for operand in operands if context.array(operand) is not None]
        context.report(
            self, node, because=because, expression=context.brief(node), consequence=consequence, repro={"case": case}
        )

    @staticmethod
    def repro(case: str = "shift") -> Evidence:
        import mlx.core as mx

        if case == "older":
            raise Skipped(f"seen on releases up to {IntegerOperatorLimit.ROUNDED}")
        x = mx.array([2])
        if case == "power":
            return Evidence(differs(x**-1, [0.5]), agrees(x.astype(mx.float32) ** -1, [0.5]))
        if case == "mixed":
            whole, offset = mx.array([2**24 + 1], dtype=mx.uint64), mx.array([0], dtype=mx.int64)
            right = (whole + offset.astype(mx.uint64)).item()
            return Evidence(
                shown((whole + offset).item() != 2**24 + 1, f"16777217 + 0: {(whole + offset).item()}"),
                shown(right == 2**24 + 1, f"16777217 + 0: {right}"),
            )
        wide = (x.astype(mx.int64) << 40).item()
        return Evidence(
            shown((x << 40).item() != 2**41, f"2 << 40: {(x << 40).item()}"), shown(wide == 2**41, str(wide))
        )


def _is_integer(array: Array) -> bool:
    return array.dtype in SIGNED or (array.dtype or "").startswith("uint")
