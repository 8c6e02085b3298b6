from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.tree import dotted
from mlxlint.model.values import Const, Scalar, Value, constant, scalar_type
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Rule,
    Severity,
    Span,
    shown,
)


def _is_count(value: Value) -> bool:
    """Whether a value is a number of samples: an int that is not a negative axis."""
    number = constant(value, int)
    return number >= 1 if isinstance(number, int) else isinstance(value, Scalar) and value.type == "int"


def _is_size(value: Value) -> bool:
    return isinstance(value, (Const, Scalar)) and scalar_type(value) == "int" and constant(value, int) not in (-1, 0)


@dataclass(frozen=True)
class Trap:
    """A position at which PyTorch takes one thing and MLX another, and the values that only PyTorch's reading fits."""

    place: int
    mlx: str
    torch: str
    fits: Callable[[Value], bool]
    keyword: str | None = None  # under which MLX takes what was meant


_DILATION = Trap(4, "dilation", "output_padding", lambda value: True, "output_padding")
TRAPS: Mapping[str, Trap] = {
    "mlx.core.linalg.svd": Trap(
        1, "compute_uv", "full_matrices", lambda value: isinstance(value, Const) and value.value is False
    ),
    "mlx.core.random.categorical": Trap(1, "axis", "num_samples", _is_count, "num_samples"),
    "mlx.core.random.uniform": Trap(0, "low", "size", _is_size, "shape"),
    "mlx.core.conv_transpose1d": _DILATION,
    "mlx.core.conv_transpose2d": _DILATION,
    "mlx.core.conv_transpose3d": _DILATION,
}


class MisplacedPositionalArgument(Rule):
    """A positional argument that means something else in MLX

    ## What it does
    Finds `mx.linalg.svd(a, False)`, `mx.random.categorical(logits, n)`, `mx.random.uniform(rows, columns)` and
    `mx.conv_transpose2d` with more than four positional arguments.

    ## PyTorch and MLX
    MLX takes the argument, as something else: `svd`'s second is `compute_uv`, not `full_matrices`; that of
    `categorical` is `axis`, not the number of samples; the first two of `uniform` are its bounds, not a shape; the
    fifth of the transposed convolutions is `dilation`, not `output_padding`.

    ## Example
    ```python
    import mlx.core as mx

    noise = mx.random.uniform(2, 3)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    noise = mx.random.uniform(shape=(2, 3))
    ```

    ## Fix safety
    Unsafe: the argument gets the meaning that it has in PyTorch.

    ## References
    - [Random](https://ml-explore.github.io/mlx/build/html/python/random.html)
    """

    code = "MLX480"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{callee}` takes `{argument}` as `{mlx}`, not as `{torch}`, as PyTorch does"
    calls = frozenset(name.rpartition(".")[2] for name in TRAPS)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        trap = TRAPS.get(callee)
        given = context.arguments(node)
        if trap is None or given.starred or len(given.positional) <= trap.place:
            return
        argument = given.positional[trap.place]
        if not trap.fits(context.value(argument.value)) or (trap.keyword in given.keywords):
            return
        if (dotted(argument.value) or "").rpartition(".")[2] == trap.mlx:
            return  # it is called what MLX takes it for
        last = argument
        if trap.torch == "size":
            if len(given.positional) > 2 or not all(trap.fits(context.value(a.value)) for a in given.positional):
                return
            last = given.positional[-1]
        context.report(
            self, argument.value, confidence=Confidence.LIKELY, callee=explain.short(callee), mlx=trap.mlx,
            torch=trap.torch, argument=context.brief(argument.value), fix=_fix(trap, argument, last, context),
            repro={"name": callee},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.random.uniform") -> Evidence:
        import mlx.core as mx

        if name.endswith("svd"):
            got, right = (
                mx.linalg.svd(mx.ones((4, 3)), False, stream=mx.cpu),
                mx.linalg.svd(mx.ones((4, 3)), stream=mx.cpu),
            )
            return Evidence(shown(isinstance(got, mx.array), "one array"), shown(len(right) == 3, "three arrays"))
        if name.endswith("categorical"):
            logits = mx.zeros((2, 4, 5))
            return _shapes(mx.random.categorical(logits, 1), mx.random.categorical(logits, num_samples=1), (2, 4, 1))
        if name.endswith("uniform"):
            return _shapes(mx.random.uniform(2, 3), mx.random.uniform(shape=(2, 3)), (2, 3))
        n = int(name[-2])
        x, w = mx.ones((1, *[8] * n, 3)), mx.ones((4, *[3] * n, 3))
        conv = getattr(mx, name.rpartition(".")[2])
        return _shapes(conv(x, w, 2, 1, 1), conv(x, w, 2, 1, output_padding=1), (1, *[16] * n, 4))


def _shapes(got: Any, right: Any, expected: tuple[int, ...]) -> Evidence:
    hazard = shown(got.shape != expected, f"shape {got.shape}, PyTorch: {expected}")
    return Evidence(hazard, shown(right.shape == expected, f"shape {right.shape}"))


def _fix(trap: Trap, first: cst.Arg, last: cst.Arg, context: Context) -> NodeFix | None:
    if trap.keyword is None:
        return None
    title = f"Give it as `{trap.keyword}`"
    if trap.keyword == "shape":
        texts = [context.text(first.value)] + ([context.text(last.value)] if last is not first else [])
        shape = f"shape=({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        return NodeFix(title, [Span(first, last, shape)], Applicability.UNSAFE)
    return NodeFix(title, [Insert(first, f"{trap.keyword}=")], Applicability.UNSAFE)
