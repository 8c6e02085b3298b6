from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Rule,
    Severity,
    Skipped,
    agrees,
    differs,
)
from mlxlint.rules._operations import Operation, operation
from mlxlint.rules._shared import with_keyword

HALVES = {"float16": 2048, "bfloat16": 256}  # from here on, adding one changes nothing
RUNNING = frozenset({"cumsum", "logcumsumexp"})
OVERFLOWING = {"linalg.norm": Severity.WARNING, "mean": Severity.INFO, "var": Severity.INFO, "std": Severity.INFO}
PLAIN = frozenset({"sum", "prod"})
WIDENED = "0.32.2"  # the last release in which plain sums accumulate in half precision as well
OPERATIONS = RUNNING | OVERFLOWING.keys() | PLAIN | {"softmax"}


class HalfPrecisionSum(Rule):
    """A sum accumulated in half precision

    ## What it does
    Finds running sums and `mx.softmax` of `float16` and `bfloat16`, and `mx.linalg.norm`, `mean`, `var` and `std` of
    `float16`.

    ## PyTorch and MLX
    PyTorch accumulates half precision in `float32` and rounds once. MLX's running sums and softmax accumulate in the
    array's own dtype: counting in `bfloat16` stops at 256, in `float16` at 2048. Sums of squares in `float16` are
    infinite beyond 65504, and so is what is computed from them. Before 0.32.4 plain sums are like running ones: they
    are found where the project is to run on older releases.

    ## Example
    ```python
    import mlx.core as mx

    mask = mx.ones((1000,)) > 0
    positions = mx.cumsum(mask.astype(mx.bfloat16), axis=-1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mask = mx.ones((1000,)) > 0
    positions = mx.cumsum(mask.astype(mx.int32), axis=-1).astype(mx.bfloat16)
    ```

    ## Fix safety
    `precise=True` is safe. A cast is unsafe: the result becomes `float32`, and may need a cast back.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX481"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{operation}` accumulates in {dtype}{consequence}; PyTorch does in float32"
    calls = frozenset(name.rpartition(".")[2] for name in OPERATIONS)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, OPERATIONS)
        array = None if found is None else context.array(found.subject)
        if (
            found is None
            or array is None
            or array.dtype not in HALVES
            or (found.name in OVERFLOWING and array.dtype != "float16")
        ):
            return
        if found.name == "softmax" and (found.starred or found.argument(None, "precise") is not None):
            return
        if found.name in PLAIN and not context.target_mlx.reaches(WIDENED):
            return
        consequence = f", where counting stops at {HALVES[array.dtype]}" if found.name in RUNNING else ""
        if found.name in OVERFLOWING:
            consequence = ", where sums beyond 65504 are infinite"
        if found.name in PLAIN:
            consequence = f" up to MLX {WIDENED}"
        context.report(
            self, node, because=[found.subject], severity=OVERFLOWING.get(found.name, Severity.WARNING),
            operation=context.brief(node), dtype=array.dtype, consequence=consequence, fix=_fix(found, node, context),
            repro={"operation": found.name, "dtype": array.dtype},
        )  # fmt: skip

    @staticmethod
    def repro(operation: str = "cumsum", dtype: Literal["bfloat16", "float16"] = "bfloat16") -> Evidence:
        import mlx.core as mx

        if operation in PLAIN:
            raise Skipped(f"seen on releases up to {WIDENED}")
        function = mx.linalg.norm if operation == "linalg.norm" else getattr(mx, operation)
        data = mx.zeros((4096,)) if operation == "softmax" else mx.ones((70000,)) * 3
        options = {} if operation in OVERFLOWING else {"axis": 0}

        def last(x: mx.array) -> mx.array:
            result = function(x, **options).astype(mx.float32)
            return result[-1] * (4096 if operation == "softmax" else 1) if result.ndim else result

        with mx.stream(mx.cpu):
            half, wide = last(data.astype(getattr(mx, dtype))), last(data)
            return Evidence(differs(half, wide), agrees(last(data.astype(getattr(mx, dtype)).astype(mx.float32)), wide))


def _fix(found: Operation, node: cst.Call, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if found.name == "softmax":
        return NodeFix("Sum in float32", [with_keyword(node, "precise=True", context)], Applicability.SAFE)
    if mx is None or not isinstance(found.subject, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    edits = [Insert(found.subject, f".astype({mx}.float32)", after=True)]
    return NodeFix("Accumulate in float32", edits, Applicability.UNSAFE)
