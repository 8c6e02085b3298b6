from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array, Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

from .._operations import operation
from ._layouts import channels_last, number


class SpaceFlattenedWithChannels(Rule):
    """A channels-last map is flattened from axis 2, which joins its width and its channels

    ## What it does
    Finds `flatten(x, 2)`, `x.flatten(2)` and `x.flatten(-2)` of what convolutions and pools return.

    ## PyTorch and MLX
    In NCHW `flatten(2)` joins height and width, and a transposition follows to make (N, H·W, C), as after a patch
    embedding. MLX's maps are NHWC: axes 2 and 3 are the width and the channels. `flatten(1, 2)` gives (N, H·W, C) at
    once.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    project = nn.Conv2d(3, 8, kernel_size=4, stride=4)
    patches = project(mx.zeros((1, 16, 16, 3))).flatten(2).swapaxes(1, 2)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    project = nn.Conv2d(3, 8, kernel_size=4, stride=4)
    patches = project(mx.zeros((1, 16, 16, 3))).flatten(1, 2)
    ```

    ## Fix safety
    Where `swapaxes(1, 2)` or `transpose(0, 2, 1)` follows, the fix joins axes 1 and 2 and leaves the transposition out.
    It is unsafe, since it changes what the program computes.

    ## References
    - [flatten](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.flatten.html)
    """

    code = "MLX366"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"flatten"})
    message = "`{map}` is channels-last: flattened from axis {axis} its width and its channels are joined"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, self.calls)
        if found is None or found.starred:
            return
        start, end = found.argument(0, "start_axis"), found.argument(1, "end_axis")
        axis = None if start is None else number(context.value(start))
        last = -1 if end is None else number(context.value(end))
        if axis not in (2, -2, -3) or last not in (-1, 3):
            return
        array = channels_last(found.subject, context)
        rank = None if array is None else array.rank
        if array is None or rank is None or axis % rank != 2 or _has_one_channel(array, context):
            return
        text = f"{context.text(found.subject)}.flatten(1, {rank - 2})"
        context.report(
            self, node, because=[found.subject], confidence=LIKELY, map=context.brief(found.subject), axis=axis,
            fix=_without_transposition(node, text, context),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        channels_first = mx.arange(12).reshape(1, 3, 2, 2)
        expected = channels_first.flatten(2).swapaxes(1, 2)
        x = channels_first.transpose(0, 2, 3, 1)
        return Evidence(differs(x.flatten(2).swapaxes(1, 2), expected), agrees(x.flatten(1, 2), expected))


def _has_one_channel(array: Array, context: Context) -> bool:
    """Whether a map is known to have a single channel, which nothing is mixed with."""
    layer = context.called(array.node) if isinstance(array.node, cst.Call) else None
    made = layer.args if isinstance(layer, Instance) and array.op == f"{layer.type}.__call__" else ()
    return (array.shape is not None and array.shape[-1] == 1) or (len(made) > 1 and number(made[1]) == 1)


def _without_transposition(node: cst.Call, text: str, context: Context) -> NodeFix | None:
    """The fix for ``x.flatten(2).swapaxes(1, 2)``."""
    method = context.parent(node)
    call = None if method is None else context.parent(method)
    if not (isinstance(method, cst.Attribute) and isinstance(call, cst.Call) and call.func is method):
        return None
    axes = [number(context.value(arg.value)) for arg in call.args]
    turns = {"swapaxes": ([1, 2], [2, 1], [-1, -2], [-2, -1]), "transpose": ([0, 2, 1],)}
    if axes not in turns.get(method.attr.value, ()) or not isinstance(node.func, cst.Attribute):
        return None
    if context.array(node.func.value) is None:  # mx.flatten(x, 2): the subject may need parentheses
        return None
    return NodeFix("Join height and width", [Replace(call, text)], Applicability.UNSAFE)
