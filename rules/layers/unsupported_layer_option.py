from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Sequence, Value, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

_MODES = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "area": None, "nearest-exact": None}


class UnsupportedLayerOption(Rule):
    """A layer is given a value that PyTorch knows and MLX does not

    ## What it does
    Finds `nn.Upsample(mode="bilinear")` and PyTorch's other modes, `nn.LayerNorm((C, H, W))`, `nn.RMSNorm([C])`,
    `eps=None`, `padding="same"` for convolutions, tuples for `nn.Conv1d`, `nn.BatchNorm(…, momentum=None)`,
    `nn.RNN(nonlinearity="tanh")` and `nn.Dropout(1.0)`.

    ## PyTorch and MLX
    The argument exists in MLX under the same name, but takes other values: `nn.Upsample` knows "nearest", "linear" and
    "cubic" for any number of axes, the norms take the number of features as an int, convolutions take paddings as
    numbers. Some raise in the constructor, others at the first call.

    ## Example
    ```python
    import mlx.nn as nn

    up = nn.Upsample(scale_factor=2, mode="bilinear")
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    up = nn.Upsample(scale_factor=2, mode="linear")
    ```

    ## Fix safety
    The fix writes MLX's name of the same mode, or the int inside a tuple of one. It is safe: the code raises before it.

    ## References
    - [Upsample](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Upsample.html)
    - [LayerNorm](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LayerNorm.html)
    """

    code = "MLX346"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`nn.{layer}` does not take `{argument}={value}`: {remedy}"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.nn.") or context.arguments(node).starred:
            return
        layer = callee[7:]
        for position, name in _ARGUMENTS.get(layer, ()):
            given = context.argument(node, position, name)
            value = context.value(given)
            remedy = None if given is None else _remedy(layer, name, value)
            if given is not None and remedy is not None:
                context.report(
                    self, node, because=[given], fix=_replacement(layer, given, value, context), layer=layer,
                    argument=name, value=context.brief(given), remedy=remedy,
                    repro={"layer": layer} if layer in ("Upsample", "LayerNorm", "Conv1d") else {},
                )  # fmt: skip
                return

    @staticmethod
    def repro(layer: Literal["Upsample", "LayerNorm", "Conv1d"] = "Upsample") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        if layer == "Conv1d":
            return Evidence(
                raises(lambda: nn.Conv1d(2, 2, (3,)), TypeError), shown(bool(nn.Conv1d(2, 2, 3)), "an int: runs")
            )
        x = mx.zeros((1, 4, 4, 2))
        if layer == "Upsample":
            shape = nn.Upsample(2, mode="linear")(x).shape
            return Evidence(
                raises(lambda: nn.Upsample(2, mode="bilinear"), ValueError),
                shown(shape == (1, 8, 8, 2), f"shape {shape}"),
            )
        hazard = raises(lambda: nn.LayerNorm((2,))(x))
        return Evidence(hazard, shown(nn.LayerNorm(2)(x).shape == x.shape, "an int: runs"))


_PADDING = (4, "padding")
_OF_ONE_AXIS = ((2, "kernel_size"), (3, "stride"), _PADDING, (5, "dilation"))
_ARGUMENTS: dict[str, tuple[tuple[int, str], ...]] = {
    "Upsample": ((1, "mode"),),
    "LayerNorm": ((0, "dims"), (1, "eps")),
    "RMSNorm": ((0, "dims"), (1, "eps")),
    "BatchNorm": ((2, "momentum"),),
    "RNN": ((3, "nonlinearity"),),
    **{f"Dropout{n}": ((0, "p"),) for n in ("", "2d", "3d")},
    **{f"{kind}1d": _OF_ONE_AXIS for kind in ("Conv", "ConvTranspose")},
    **{f"{kind}{n}d": (_PADDING,) for kind in ("Conv", "ConvTranspose") for n in (2, 3)},
}


def _remedy(layer: str, argument: str, value: Value) -> str | None:
    """What to do instead when a layer surely does not take a value."""
    text = constant(value, str)
    if layer == "Upsample":
        if text not in _MODES:
            return None
        return f'its name is "{_MODES[text]}"' if _MODES[text] else 'it knows "nearest", "linear" and "cubic"'
    if argument == "eps":
        no_number = isinstance(value, Const) and value.value is None
        return "it takes a number; PyTorch's is 1.19e-7 for float32" if no_number else None
    if layer.endswith("1d") and isinstance(value, Sequence) and value.kind in ("list", "tuple"):
        return "with one axis of space it is an int"
    if layer in ("LayerNorm", "RMSNorm"):
        return "it normalises the last axis, and takes its size as an int" if isinstance(value, Sequence) else None
    if layer == "BatchNorm":
        return "it has no cumulative average" if isinstance(value, Const) and value.value is None else None
    if layer == "RNN":
        return "it takes a function such as `mx.tanh` or `nn.relu`" if text is not None else None
    if layer.startswith("Dropout"):
        rate = constant(value, (int, float))
        return "the probability must be below 1" if rate is not None and rate >= 1 else None
    return "it takes the padding as a number, for example `kernel_size // 2`" if text is not None else None


def _replacement(layer: str, given: cst.BaseExpression, value: Value, context: Context) -> NodeFix | None:
    if layer == "Upsample" and isinstance(given, (cst.SimpleString, cst.ConcatenatedString)):
        name = _MODES.get(constant(value, str) or "")
        return NodeFix(f'Use "{name}"', [Replace(given, f'"{name}"')], Applicability.SAFE) if name else None
    if isinstance(given, (cst.Tuple, cst.List)) and len(given.elements) == 1:
        return NodeFix("Pass the int", [Replace(given, context.text(given.elements[0].value))], Applicability.SAFE)
    return None
