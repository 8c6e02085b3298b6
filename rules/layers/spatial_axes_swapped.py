from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

from .._operations import operation
from ._layouts import axes_of

_LAYOUT_WORDS = ("nchw", "nhwc", "channels last", "channels-last", "channels_last", "channel last", "bchw", "bhwc")


class SpatialAxesSwapped(Rule):
    """`transpose(0, 3, 2, 1)` brings the channels to the other end and swaps height and width as well

    ## What it does
    Finds `transpose(0, 3, 2, 1)` and `swapaxes(1, 3)` of maps: of arrays in a known layout, or where a comment
    or the function's name speaks of NCHW and NHWC.

    ## PyTorch and MLX
    NCHW becomes NHWC by `transpose(0, 2, 3, 1)`, and NHWC becomes NCHW by `transpose(0, 3, 1, 2)`. `(0, 3, 2, 1)` gives
    the same shape for square images, which are then turned about their diagonal.

    ## Example
    ```python
    import mlx.core as mx

    images = mx.zeros((1, 3, 32, 32))
    x = images.transpose(0, 3, 2, 1)  # NCHW to NHWC
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    images = mx.zeros((1, 3, 32, 32))
    x = images.transpose(0, 2, 3, 1)  # NCHW to NHWC
    ```

    ## Fix safety
    The fix writes the axes of the conversion that is meant. It is unsafe: weights may have been converted to fit the
    swapped maps.

    ## References
    - [transpose](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.transpose.html)
    """

    code = "MLX365"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"transpose", "swapaxes"})
    message = "`{text}` swaps height and width too: {instead}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, self.calls)
        if found is None or found.starred:
            return
        given = found.arguments.positional[0 if found.is_method else 1 :]
        axes = tuple(axis for arg in given for axis in axes_of(context.value(arg.value)) or ())
        if axes != (0, 3, 2, 1) and not (found.name == "swapaxes" and axes in ((1, 3), (3, 1), (1, -1), (-1, 1))):
            return
        array = context.array(found.subject)
        layout = array.layout if array is not None and array.rank in (None, 4) else None
        if layout is None and not (axes == (0, 3, 2, 1) and _is_told(node, context)):
            return
        right = "0, 3, 1, 2" if layout == "channels_last" else "0, 2, 3, 1"
        fix = None
        if found.name == "transpose" and len(given) == 4:
            parts = [Replace(arg.value, axis) for arg, axis in zip(given, right.split(", "))]
            fix = NodeFix(f"Use axes {right}", parts, Applicability.UNSAFE)
        context.report(
            self, node, because=[found.subject] if layout else [], confidence=LIKELY, fix=fix,
            text=context.brief(node), instead=f"`transpose({right})` moves the channels alone",
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        images = mx.arange(8).reshape(1, 2, 2, 2)
        expected = mx.stack([images[:, 0], images[:, 1]], axis=-1)
        return Evidence(differs(images.transpose(0, 3, 2, 1), expected), agrees(images.transpose(0, 2, 3, 1), expected))


def _is_told(node: cst.Call, context: Context) -> bool:
    """Whether a comment at the statement, or the function's name, speaks of a conversion of layouts."""
    function = context.enclosing_function(node)
    name = "" if function is None else function.name
    return any(word in (name + context.text(context.statement(node))).lower() for word in _LAYOUT_WORDS)
