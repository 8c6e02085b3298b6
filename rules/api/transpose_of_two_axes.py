from __future__ import annotations

from typing import Annotated

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY, POSSIBLE, Array, constant
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
from mlxlint.rules._operations import operation
from mlxlint.rules._shared import is_port

TRANSPOSE = frozenset({"transpose"})


class TransposeOfTwoAxes(Rule):
    """`transpose` with the two axes to be swapped

    ## What it does
    Finds `x.transpose(0, 1)`, `x.transpose(-2, -1)`, `mx.transpose(x, 1, 2)`: two axes for an array that has more, or,
    for a matrix, in an order that leaves it as it is.

    ## PyTorch and MLX
    `Tensor.transpose(a, b)` swaps two axes. In MLX, as in NumPy, `transpose` takes the new order of all axes: for more
    than two dimensions two axes raise `ValueError`, and for a matrix `transpose(0, 1)` does nothing. `swapaxes` swaps.

    ## Example
    ```python
    import mlx.core as mx

    k = mx.zeros((2, 4, 8, 16))
    kt = k.transpose(-2, -1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    k = mx.zeros((2, 4, 8, 16))
    kt = k.swapaxes(-2, -1)
    ```

    ## Fix safety
    Safe where the array is known to have more than two axes, since the code raises as it is. Unsafe else.

    ## References
    - [mlx.core.transpose](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.transpose.html)
    - [mlx.core.swapaxes](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.swapaxes.html)
    """

    code = "MLX412"
    calls = TRANSPOSE
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`transpose` takes the order of all axes{rank}; `swapaxes` swaps two"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, TRANSPOSE)
        if found is None or found.starred or found.arguments.keywords:
            return
        given = found.arguments.positional[0 if found.is_method else 1 :]
        axes = [constant(context.value(arg.value), int) for arg in given]
        array = context.array(found.subject)
        if len(axes) != 2 or None in axes or array is None:
            return
        surety = CERTAIN if not found.is_method else _surety(array, (axes[0], axes[1]), context)
        if surety is None:
            return
        safe = surety == array.confidence == CERTAIN and (array.rank or 0) > 2
        fix = NodeFix(
            "Use `swapaxes`",
            [Replace(_name(node), _text(node, context))],
            Applicability.SAFE if safe else Applicability.UNSAFE,
        )
        context.report(
            self,
            node,
            because=[found.subject],
            confidence=surety,
            fix=fix,
            severity=Severity.ERROR if surety == CERTAIN else Severity.WARNING,
            rank=f", and `{context.brief(found.subject)}` has {array.rank}" if array.rank is not None else "",
            repro={"rank": array.rank} if found.is_method and array.rank in range(2, 9) else {},
        )

    @staticmethod
    def repro(rank: Annotated[int, range(2, 9)] = 3) -> Evidence:
        import mlx.core as mx

        x = mx.arange(6).reshape(*(1,) * (rank - 2), 2, 3)
        swapped = x.swapaxes(-2, -1)
        expected = mx.array([[0, 3], [1, 4], [2, 5]]).reshape(swapped.shape)
        if rank == 2:
            return Evidence(differs(x.transpose(0, 1), expected), agrees(swapped, expected))
        return Evidence(raises(lambda: x.transpose(-2, -1), ValueError), agrees(swapped, expected))


def _name(node: cst.Call) -> cst.BaseExpression:
    return node.func.attr if isinstance(node.func, cst.Attribute) else node.func


def _text(node: cst.Call, context: Context) -> str:
    if isinstance(node.func, cst.Attribute):
        return "swapaxes"
    return f"{context.alias('mlx.core') or 'mx'}.swapaxes"


def _surety(array: Array, axes: tuple[int, int], context: Context) -> int | None:
    """How surely a method's two axes are a swap; None when they are a matrix's transposition, written out."""
    if array.rank is not None and array.rank != 2:
        return CERTAIN
    same = tuple(axis % 2 for axis in axes) == (0, 1)
    if array.rank == 2:
        return CERTAIN if same else None
    if not all(-2 <= axis <= 1 for axis in axes):
        return CERTAIN
    if axes == (1, 0):
        return POSSIBLE  # how NumPy writes a matrix's transposition
    return LIKELY if same or is_port(context) else POSSIBLE
