from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Sequence, Value, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

Given = Mapping[str, Value]


@dataclass(frozen=True)
class Check:
    """A demand of PyTorch's that MLX's layer does not make."""

    arguments: tuple[str, ...]
    argument: str
    is_broken: Callable[[Given], bool]
    demand: str


def _numbers(given: Given, name: str, default: float) -> list[float] | None:
    value = given.get(name)
    if value is None:
        return [default]
    items = value.items if isinstance(value, Sequence) else (value,)
    found = [constant(item, (int, float)) for item in items or ()]
    return None if not found or None in found else found


def _slope_above_one(given: Given) -> bool:
    slopes = _numbers(given, "negative_slope", 0.01)
    return slopes is not None and any(not 0 <= slope <= 1 for slope in slopes)


def _padding_over_half(given: Given) -> bool:
    padding, kernel = _numbers(given, "padding", 0), _numbers(given, "kernel_size", 0)
    return padding is not None and kernel is not None and 0 < min(kernel) < 2 * max(padding)


def _output_padding_too_large(given: Given) -> bool:
    extra = _numbers(given, "output_padding", 0)
    stride, dilation = _numbers(given, "stride", 1), _numbers(given, "dilation", 1)
    if extra is None or stride is None or dilation is None:
        return False
    return max(extra) >= max(*stride, *dilation) and max(extra) > 0


_SLOPE = Check(("negative_slope",), "negative_slope", _slope_above_one, "between 0 and 1: x is compared with slope * x")
_POOL = Check(
    ("kernel_size", "stride", "padding"), "padding", _padding_over_half, "at most half of `kernel_size`, as in PyTorch"
)
_TRANSPOSED = Check(
    ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "output_padding"),
    "output_padding",
    _output_padding_too_large,
    "less than `stride` or `dilation`, as in PyTorch",
)
_CHECKS: dict[str, Check] = {
    "LeakyReLU": _SLOPE,
    "leaky_relu": Check(("x", *_SLOPE.arguments), _SLOPE.argument, _SLOPE.is_broken, _SLOPE.demand),
    **{f"{kind}Pool{n}d": _POOL for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _TRANSPOSED for n in (1, 2, 3)},
}


class UncheckedLayerArgument(Rule):
    """A layer is given a number that PyTorch refuses, or reads otherwise, and MLX does not check

    ## What it does
    Finds `nn.LeakyReLU` with a slope above 1 or below 0, pools whose padding is more than half of the window, and
    transposed convolutions whose `output_padding` is not less than the stride.

    ## PyTorch and MLX
    PyTorch raises for such paddings. MLX computes with them: a corner of a max pool is then `-inf`, and the output of
    a transposed convolution has rows that nothing reached. Leaky ReLU is the larger of `slope * x` and `x` in MLX,
    which is another function where the slope is above 1.

    ## Example
    ```python
    import mlx.nn as nn

    pool = nn.MaxPool2d(2, 2, 2)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    pool = nn.MaxPool2d(2, 2, 1)
    ```

    ## References
    - [MaxPool2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MaxPool2d.html)
    - [LeakyReLU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LeakyReLU.html)
    """

    code = "MLX376"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset(_CHECKS)
    message = "`{argument}` of `nn.{layer}` should be {demand}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        layer, given = callee.removeprefix("mlx.nn."), context.arguments(node)
        check = _CHECKS.get(layer) if callee.startswith("mlx.nn.") else None
        if check is None or given.starred:
            return
        nodes = {name: given.get(index, name) for index, name in enumerate(check.arguments)}
        values = {name: context.value(arg.value) for name, arg in nodes.items() if arg is not None}
        if check.is_broken(values):
            context.report(
                self, node, layer=layer, argument=check.argument, demand=check.demand,
                repro={"argument": check.argument},
            )  # fmt: skip

    @staticmethod
    def repro(argument: str = "padding") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        if argument == "negative_slope":
            broken, right = nn.leaky_relu(mx.array([3.0]), 2.0), nn.leaky_relu(mx.array([3.0]), 0.2)
            return Evidence(shown(broken.item() != 3, f"of 3: {broken.item()}"), shown(right.item() == 3, "of 3: 3"))
        if argument == "output_padding":
            sizes = [nn.ConvTranspose1d(1, 1, 3, s, output_padding=1)(mx.ones((1, 4, 1))).shape[1] for s in (1, 2)]
            return Evidence(shown(sizes[0] == 7, f"{sizes[0]} steps"), shown(sizes[1] == 10, f"{sizes[1]} steps"))
        corner = nn.MaxPool2d(2, 2, 2)(mx.ones((1, 4, 4, 1))).min().item()
        right = nn.MaxPool2d(2, 2, 1)(mx.ones((1, 4, 4, 1))).min()
        return Evidence(shown(corner == -float("inf"), f"corner {corner}"), shown(right.item() == 1, "corner 1"))
