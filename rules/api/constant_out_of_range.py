from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Sequence, Value, constant, members
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Rule,
    Severity,
    Skipped,
    agrees,
    differs,
    shown,
)
from mlxlint.rules._shared import with_keyword

RANGES = {
    **{f"uint{bits}": range(2**bits) for bits in (8, 16, 32)},
    **{f"int{bits}": range(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (8, 16, 32)},
}
REFUSED = "0.32.0"  # the last release that takes no list of integers beyond int32
MOST = 64  # elements of a literal that are looked at


class ConstantOutOfRange(Rule):
    """A constant that the dtype cannot hold, or a range that is empty

    ## What it does
    Finds bounds of `mx.random.randint` beyond `int32` without a `dtype`, elements of `mx.array` that do not fit the
    `dtype` given, and `mx.arange` whose start is beyond its stop.

    ## PyTorch and MLX
    PyTorch draws `int64`, and refuses a list that overflows its dtype and a range in the wrong direction. For
    `randint(0, 2**40, ...)` MLX returns one number over and over, 0 or, in older releases, the lowest `int32`; it wraps
    `mx.array([300], dtype=mx.uint8)` to 44, and returns an empty range.

    ## Example
    ```python
    import mlx.core as mx

    seeds = mx.random.randint(0, 2**40, (4,))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    seeds = mx.random.randint(0, 2**40, (4,), dtype=mx.int64)
    ```

    ## Fix safety
    Unsafe: the numbers become `int64`.

    ## References
    - [mlx.core.random.randint](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.randint.html)
    """

    code = "MLX491"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "{problem}"
    calls = frozenset({"randint", "array", "arange"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if context.arguments(node).starred:
            return
        if callee == "mlx.core.random.randint":
            self._check_randint(node, context)
        elif callee == "mlx.core.array":
            self._check_array(node, context)
        elif callee == "mlx.core.arange":
            self._check_arange(node, context)

    def _check_randint(self, node: cst.Call, context: Context) -> None:
        if context.argument(node, 3, "dtype") is not None:
            return
        for bound in (context.argument(node, 0, "low"), context.argument(node, 1, "high")):
            number = constant(context.value(bound), int)
            if bound is not None and isinstance(number, int) and not -(2**31) <= number <= 2**31:
                mx = context.alias("mlx.core") or "mx"
                fix = NodeFix("Draw int64", [with_keyword(node, f"dtype={mx}.int64", context)], Applicability.UNSAFE)
                problem = f"`{context.brief(bound)}` is beyond int32, in which `mx.random.randint` draws"
                context.report(self, node, problem=problem, fix=fix)
                return

    def _check_array(self, node: cst.Call, context: Context) -> None:
        dtype = (context.qualified(context.argument(node, 1, "dtype")) or "").removeprefix("mlx.core.")
        values = context.argument(node, 0, "val")
        if values is not None and not dtype and context.target_mlx.reaches(REFUSED):
            large = next((n for n in _numbers(context.value(values)) if n not in RANGES["int32"]), None)
            if large is not None and isinstance(context.value(values), Sequence):
                problem = f"{large} is beyond int32: `std::bad_cast` up to MLX {REFUSED}"
                context.report(self, node, problem=problem, repro={"case": "older"})
        if dtype not in RANGES or values is None:
            return
        wrong = next((number for number in _numbers(context.value(values)) if number not in RANGES[dtype]), None)
        if wrong is not None:
            context.report(self, node, problem=f"{wrong} does not fit {dtype}, and wraps", repro={"case": "array"})

    def _check_arange(self, node: cst.Call, context: Context) -> None:
        start, stop = (constant(context.value(context.argument(node, place)), int) for place in (0, 1))
        step = context.argument(node, 2, "step")
        count = 1 if step is None else constant(context.value(step), (int, float))
        if isinstance(start, int) and isinstance(stop, int) and count and (stop - start) * count < 0:
            problem = f"`{context.brief(node)}` is empty: it steps away from its end"
            context.report(self, node, problem=problem, repro={"case": "arange"})

    @staticmethod
    def repro(case: str = "randint") -> Evidence:
        import mlx.core as mx

        if case == "older":
            raise Skipped(f"seen on releases up to {REFUSED}")
        if case == "array":
            return Evidence(differs(mx.array([300], dtype=mx.uint8), [300]), agrees(mx.array([300]), [300]))
        if case == "arange":
            return Evidence(
                shown(mx.arange(5, 2).size == 0, "arange(5, 2) is empty"), agrees(mx.arange(5, 2, -1), [5, 4, 3])
            )
        try:
            narrow = mx.random.randint(0, 2**40, (8,)).tolist()
        except RuntimeError as error:
            raise Skipped("this MLX refuses the bound") from error
        wide = mx.random.randint(0, 2**40, (64,), dtype=mx.int64).max().item()
        return Evidence(shown(len(set(narrow)) == 1, f"{narrow}"), shown(wide > 2**31, f"up to {wide}"))


def _numbers(value: Value) -> Iterator[int]:
    """The integers written in a literal, nested or not."""
    items = value.items or () if isinstance(value, Sequence) else members(value)
    for item in items[:MOST]:
        if isinstance(item, Sequence):
            yield from _numbers(item)
        elif isinstance(item, Const) and constant(item, int) is not None:
            yield item.value
