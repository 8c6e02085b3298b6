from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import CERTAIN, LIKELY, UNKNOWN, Const, Either, Scalar, Sequence, Value, scalar_type
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Rule, Severity, Span, agrees, raises

FROM = {  # where the shape begins
    "mlx.core.full": 0, "mlx.core.zeros": 0, "mlx.core.ones": 0, "mlx.core.empty": 0, "mlx.core.random.normal": 0,
    "mlx.core.reshape": 1, "mlx.core.broadcast_to": 1, "mlx.core.tile": 1, "mlx.core.transpose": 1,
    "mlx.core.array.squeeze": 0, "mlx.core.array.sum": 0, "mlx.core.array.mean": 0, "mlx.core.flip": 1,
}  # fmt: skip
FULL = "mlx.core.full"  # whose value follows the shape
_SIZE = re.compile(
    r"dims?$|size|^num_|^n_|len|width|height|rank|batch|channels|hidden|features|heads|^[a-z]$|count|vocab"
)


class ShapeAsArguments(Rule):
    """A shape given number by number

    ## What it does
    Finds `mx.zeros(2, 3)`, `mx.ones(n, m)`, `mx.random.normal(2, 3)`, `mx.reshape(x, 2, 3)`, `mx.tile(x, 2, 1)`,
    `mx.broadcast_to(x, 2, 3)` and `x.squeeze(0, 2)`: sizes or axes one after another where MLX takes one tuple.

    ## PyTorch and MLX
    PyTorch takes a shape either way. MLX's functions take a tuple or list (the methods `reshape` and `transpose` take
    both), and read the second number as the next parameter: `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    bias = mx.zeros(2, 3)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    bias = mx.zeros((2, 3))
    ```

    ## Fix safety
    Safe: the numbers are put into a tuple.

    ## References
    - [mlx.core.zeros](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.zeros.html)
    """

    code = "MLX410"
    yields_to = ("transpose-of-two-axes",)
    calls = frozenset(name.rpartition(".")[2] for name in FROM)
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{callee}` takes one tuple: `({numbers})`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) < 2:
            return
        callee = context.callee(node) or ""
        start = FROM.get(callee)
        if start is None:
            return
        given = ArgumentNodes(node)
        numbers = given.positional[start:]
        if callee == FULL and numbers:
            *numbers, last = numbers
            if scalar_type(context.value(last.value)) is None:
                return  # the dtype, or what is filled in may be an array
        if given.starred or len(numbers) < 2:
            return
        sure = all(_is_int(context.value(arg.value)) for arg in numbers)
        if not sure and not (start == 0 and all(_may_be_int(arg.value, context) for arg in numbers)):
            return
        text = ", ".join(context.text(arg.value) for arg in numbers)
        fix = NodeFix("Put the numbers into a tuple", [Span(numbers[0].value, numbers[-1].value, f"({text})")])
        context.report(
            self, node, callee=explain.short(callee), numbers=text, fix=fix if _plain(numbers, context) else None,
            confidence=CERTAIN if sure else LIKELY,
            repro={"name": callee},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.zeros") -> Evidence:
        import importlib

        import mlx.core as mx

        module, _, function = name.rpartition(".")
        if module == "mlx.core.array":
            called = getattr(mx.ones((1, 1, 2)), function)
        elif function in ("reshape", "broadcast_to", "tile", "transpose", "flip"):
            called = lambda *sizes: getattr(mx, function)(mx.ones((1, 1, 1)), *sizes)  # noqa: E731
        else:
            called = getattr(importlib.import_module(module), function)
        return Evidence(raises(lambda: called(0, 1, 2), TypeError), agrees(mx.zeros((2, 1)), [[0.0], [0.0]]))


def _is_int(value: Value) -> bool:
    return isinstance(value, (Const, Scalar)) and scalar_type(value) == "int" and not isinstance(value, Sequence)


def _may_be_int(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression of which nothing is known reads like a size: ``out_dims``, not ``dtype``."""
    value = context.value(node)
    if value is not UNKNOWN and not isinstance(value, Either):
        return _is_int(value)
    named = node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""
    return isinstance(node, cst.BinaryOperation) or bool(_SIZE.search(named.lower()))


def _plain(numbers: list[cst.Arg], context: Context) -> bool:
    return not any("#" in context.text(arg) for arg in numbers)
