from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ..layers._layouts import number

_INFLATES = re.compile(r"inflat", re.IGNORECASE)
_TURN = re.compile(r"transpose|permute|moveaxis|movedim|swapaxes|torch\b")


class InflatedWeightAxis(Rule):
    """The time axis of a weight inflated for a 3-D convolution is put where PyTorch has it

    ## What it does
    Finds `mx.expand_dims(weight, 2)`, and `weight[:, :, None]`, in functions that are called an inflation and turn
    nothing.

    ## PyTorch and MLX
    PyTorch's (out, in, h, w) becomes (out, in, t, h, w): the new axis is 2. MLX's (out, h, w, in) becomes
    (out, t, h, w, in): it is 1. At 2 the kernel's rows take the place of time, and where it is a cube it is used so.

    ## Example
    ```python
    import mlx.core as mx


    def inflate(weight: mx.array, frames: int):
        return mx.repeat(mx.expand_dims(weight, 2), frames, axis=2) / frames
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def inflate(weight: mx.array, frames: int):
        return mx.repeat(mx.expand_dims(weight, 1), frames, axis=1) / frames
    ```

    ## References
    - [Conv3d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv3d.html)
    """

    code = "MLX915"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"expand_dims", "repeat", "tile", "broadcast_to"})
    message = "time is put at axis 2, and the weights of MLX's `Conv3d` are (out, time, height, width, in)"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not (context.callee(node) or "").startswith("mlx.core.") or not _puts_at_two(node, context):
            return
        function = context.enclosing_function(node)
        if function is not None and _INFLATES.search(function.name) and not _TURN.search(context.text(function.node)):
            context.report(self, node, confidence=LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        clip, weight = mx.ones((1, 4, 6, 6, 2)), mx.ones((5, 3, 3, 2))
        inflated = [mx.repeat(mx.expand_dims(weight, axis), 2, axis=axis) for axis in (2, 1)]
        shape = mx.conv3d(clip, inflated[1]).shape
        wrong = mx.conv3d(clip, inflated[0]).shape
        return Evidence(
            shown(wrong != (1, 3, 4, 4, 5), f"shape {wrong}, PyTorch's is of 3 frames of 4 by 4"),
            shown(shape == (1, 3, 4, 4, 5), f"shape {shape}"),
        )


def _puts_at_two(node: cst.Call, context: Context) -> bool:
    """``mx.expand_dims(w, 2)``, or a call that is given ``w[:, :, None]``."""
    if (context.callee(node) or "").endswith(".expand_dims"):
        return number(context.value(context.argument(node, 1, "axis"))) == 2
    given = node.args[0].value if node.args else None
    if not isinstance(given, cst.Subscript) or len(given.slice) < 3:
        return False
    *before, last = (element.slice for element in given.slice[:3])
    return (
        all(isinstance(each, cst.Slice) and each.lower is None and each.upper is None for each in before)
        and isinstance(last, cst.Index)
        and isinstance(last.value, cst.Name)
        and last.value.value == "None"
    )
