from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, Array, constant
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
    raises,
)
from mlxlint.rules._operations import operand, operation, produced_by

CUMULATIVE = frozenset({"cumsum", "cumprod"})
SUMS = frozenset({"sum", "cumsum", "trace", "prod"})
AVERAGES = frozenset({"mean", "var", "std"})  # which sum in int32 as well
LONGEST_RANGE = 65536  # the sum of the numbers below it is the last in int32
NARROW = frozenset({"uint8", "int8", "uint16", "int16"})
INT32 = range(-(2**31), 2**31)
HASH_FACTOR = 2**15  # ids of a million, times this, are beyond int32


class IntegerOverflow(Rule):
    """Integer arithmetic that needs more bits than MLX gives it

    ## What it does
    Finds running sums of 8- and 16-bit integers, sums of squared or multiplied `int32`, sums and means of long ranges,
    products of `int32` arrays with large constants, sorted keys `row * n + column`, and constants beyond `int32` next
    to such arrays.

    ## PyTorch and MLX
    PyTorch's integers are `int64` by default, and its sums of any integer are. MLX's default is `int32`; sums stay
    `int32`, running sums keep even `uint8`, and all wrap silently. A Python constant that does not fit the array's
    dtype raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx

    hits = mx.ones((1000,), dtype=mx.uint8)
    found = mx.cumsum(hits)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    hits = mx.ones((1000,), dtype=mx.uint8)
    found = mx.cumsum(hits.astype(mx.int32))
    ```

    ## Fix safety
    The fix computes with `int64`. It is unsafe: the result is then of that type, too.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX467"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "{problem}"
    calls = SUMS | AVERAGES

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, SUMS | AVERAGES)
        array = None if found is None else context.array(found.subject)
        if found is None or array is None:
            return
        if _is_long_range(array):
            problem = f"the {found.name} of `{context.brief(found.subject)}` is computed in int32 and wraps"
            context.report(
                self, node, because=[found.subject], problem=problem, repro={"case": "range"},
                fix=_wide([found.subject], context),
            )  # fmt: skip
        elif found.name in AVERAGES:
            return
        elif found.name in CUMULATIVE and array.dtype in NARROW:
            problem = f"`mx.{found.name}` of {array.dtype} stays {array.dtype} and wraps"
            fix = _wide([found.subject], context)
            context.report(self, node, because=[found.subject], problem=problem, repro={"case": "running"}, fix=fix)
        elif array.dtype == "int32" and _is_product(array, context):
            problem = f"the {found.name} of `{context.brief(found.subject)}` stays int32 and wraps beyond 2147483647"
            context.report(
                self, node, because=[found.subject], confidence=LIKELY, problem=problem, repro={"case": "sum"},
                fix=_wide_factors(array, context),
            )  # fmt: skip

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            number = constant(context.value(other), int)
            array = context.array(side)
            if array is None or not isinstance(number, int):
                continue
            if number not in INT32:
                self._too_large(node, side, other, array, context)
            elif isinstance(node.operator, cst.Multiply) and abs(number) >= HASH_FACTOR and array.dtype == "int32":
                problem = f"`{context.brief(node)}` is computed in int32 and wraps beyond 2147483647"
                context.report(
                    self, node, because=[side], confidence=LIKELY, problem=problem, repro={"case": "product"},
                    fix=_wide([side], context),
                )  # fmt: skip
        if isinstance(node.operator, cst.Add) and _is_sorted(node, context) and _is_flat_key(node, context):
            problem = f"`{context.brief(node)}` is a key in int32, which wraps beyond 2147483647"
            product = cst.ensure_type(node.left, cst.BinaryOperation)
            context.report(
                self, node, confidence=LIKELY, severity=Severity.INFO, problem=problem, repro={"case": "product"},
                fix=_wide([product.left], context),
            )  # fmt: skip

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        array, number = context.array(node.left), constant(context.value(node.comparisons[0].comparator), int)
        if array is not None and isinstance(number, int) and number not in INT32:
            self._too_large(node, node.left, node.comparisons[0].comparator, array, context)

    def _too_large(
        self, node: cst.CSTNode, side: cst.BaseExpression, other: cst.BaseExpression, array: Array, context: Context
    ) -> None:
        if array.dtype in ("int64", "uint64", "float32", "float16", "bfloat16", "float64", "complex64", "bool_"):
            return
        if array.dtype == "uint32" and 0 <= (constant(context.value(other), int) or 0) < 2**32:
            return
        problem = f"`{context.brief(other)}` does not fit {array.dtype or 'int32, the default integer'}, and MLX raises"
        confidence = CERTAIN if array.dtype else LIKELY
        context.report(
            self,
            node,
            because=[side],
            confidence=confidence,
            severity=Severity.ERROR,
            problem=problem,
            repro={"case": "constant"},
            fix=_wide([side], context),
        )

    @staticmethod
    def repro(case: str = "running") -> Evidence:
        import mlx.core as mx

        if case == "running":
            hits = mx.full((3,), 100, dtype=mx.uint8)
            return Evidence(
                differs(mx.cumsum(hits), [100, 200, 300]), agrees(mx.cumsum(hits.astype(mx.int32)), [100, 200, 300])
            )
        ids = mx.array([100_000, 200_000])
        if case == "range":
            numbers = mx.arange(100_000)
            return Evidence(differs(numbers.mean(), 49999.5), agrees(numbers.astype(mx.int64).mean(), 49999.5))
        if case == "constant":
            return Evidence(
                raises(lambda: ids * 2654435761, ValueError), agrees((ids.astype(mx.int64) * 2654435761) % 7, [5, 3])
            )
        got, wide = (ids * 1_000_003) % 97, (ids.astype(mx.int64) * 1_000_003) % 97
        expected = [100_000 * 1_000_003 % 97, 200_000 * 1_000_003 % 97]
        if case == "sum":
            got, wide, expected = (ids * ids).sum(), mx.square(ids.astype(mx.float32)).sum(), 5e10  # type: ignore[assignment]
        return Evidence(differs(got, expected), agrees(wide, expected))


def _wide(nodes: Sequence[cst.BaseExpression], context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    if core is None or not nodes:
        return None
    mx, imports = core
    edits = [Replace(node, f"{operand(node, context)}.astype({mx}.int64)") for node in nodes]
    return NodeFix("Compute with int64", [*imports, *edits], Applicability.UNSAFE)


def _wide_factors(array: Array, context: Context) -> NodeFix | None:
    """Widen a product's factors, in this file."""
    node = array.node
    if node is None or context.parent(node) is None:
        return None
    if isinstance(node, cst.BinaryOperation):
        return _wide([node.left], context)
    found = operation(node, context, frozenset({"square"})) if isinstance(node, cst.Call) else None
    return None if found is None else _wide([found.subject], context)


def _is_long_range(array: Array) -> bool:
    size = array.shape[0] if array.shape is not None and len(array.shape) == 1 else None
    return array.dtype == "int32" and produced_by(array, "arange") and isinstance(size, int) and size > LONGEST_RANGE


def _is_product(array: Array, context: Context) -> bool:
    node = array.node
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Multiply):
        if any(_is_flag(context.array(side), context) for side in (node.left, node.right)):
            return False
        return all((a := context.array(side)) is not None and a.dtype == "int32" for side in (node.left, node.right))
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Power):
        return constant(context.value(node.right), int) not in (None, 0, 1)
    return produced_by(array, "square")


def _is_flag(array: Array | None, context: Context) -> bool:
    """Whether numbers are what a condition was turned into: 0 and 1."""
    node = array.node if array is not None and produced_by(array, "astype") else None
    func = node.func if isinstance(node, cst.Call) else None
    source = context.array(func.value) if isinstance(func, cst.Attribute) else None
    return source is not None and source.dtype == "bool_"


def _is_sorted(node: cst.BinaryOperation, context: Context) -> bool:
    """Whether the numbers serve as keys: they are sorted."""
    call = context.parent(context.parent(node) or node)
    return isinstance(call, cst.Call) and context.callee(call) in (
        "mlx.core.argsort",
        "mlx.core.sort",
        "mlx.core.unique",
    )


def _is_flat_key(node: cst.BinaryOperation, context: Context) -> bool:
    """Whether this is ``row * n + column`` of two int32 arrays, with a number that is not known."""
    product: cst.BaseExpression | None = node.left
    column = context.array(node.right)
    if not isinstance(product, cst.BinaryOperation) or not isinstance(product.operator, cst.Multiply) or column is None:
        return False
    row, n = context.array(product.left), context.value(product.right)
    known = constant(n, int)
    return (
        row is not None and row.dtype == column.dtype == "int32" and known is None
        and context.array(product.right) is None and getattr(n, "type", None) == "int"
    )  # fmt: skip
