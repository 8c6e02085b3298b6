from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._layouts import CONVOLUTIONS, number, option

_FORWARD = frozenset(f"{name}.__call__" for name in CONVOLUTIONS)


class GluOverPositions(Rule):
    """A gated linear unit halves the positions of a convolution's output in place of its channels

    ## What it does
    Finds `nn.GLU(1)` and `nn.glu(x, axis=1)` over what a convolution of MLX's returns.

    ## PyTorch and MLX
    PyTorch's maps are (N, C, L), and `nn.GLU(dim=1)` gates the channels. MLX's convolutions return (N, L, C): axis 1 is
    the sequence, and half of it gates the other half. The channels are the last axis, which is the default.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    y = nn.Conv1d(4, 8, 1)(mx.zeros((2, 6, 4)))
    y = nn.glu(y, axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    y = nn.Conv1d(4, 8, 1)(mx.zeros((2, 6, 4)))
    y = nn.glu(y, axis=-1)
    ```

    ## Fix safety
    The fix gives the last axis. It is unsafe: the output has another shape then.

    ## References
    - [GLU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GLU.html)
    """

    code = "MLX385"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"glu", "__call__"})
    message = "axis 1 of `{map}` is a position: a convolution's channels, which are to be gated, are its last axis"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        given = context.argument(node, 0, "x")
        if given is None or getattr(context.array(given), "op", None) not in _FORWARD:
            return
        layer = context.called(node)
        if context.callee(node) == "mlx.nn.glu":
            axis = context.argument(node, 1, "axis")
            if axis is not None and number(context.value(axis)) == 1:
                fix = NodeFix("Gate the channels", [Replace(axis, "-1")], Applicability.UNSAFE)
                context.report(self, node, because=[given], confidence=LIKELY, map=context.brief(given), fix=fix)
        elif isinstance(layer, Instance) and layer.type == "mlx.nn.GLU" and number(option(layer, 0, "axis")) == 1:
            place = layer.node if layer.node in context.parents else node
            context.report(
                self, place or node, because=[given], confidence=LIKELY, map=context.brief(given),
                fix=_regated(place, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        y = nn.Conv1d(4, 8, 1)(mx.zeros((2, 6, 4)))
        halved, gated = nn.GLU(1)(y).shape, nn.GLU(-1)(y).shape
        return Evidence(shown(halved == (2, 3, 8), f"shape {halved}"), shown(gated == (2, 6, 4), f"shape {gated}"))


def _regated(made: cst.CSTNode | None, context: Context) -> NodeFix | None:
    """The last axis in ``nn.GLU(1)``."""
    axis = context.argument(made, 0, "axis") if isinstance(made, cst.Call) else None
    if not isinstance(axis, cst.Integer):
        return None
    return NodeFix("Gate the channels", [Replace(axis, "-1")], Applicability.UNSAFE)
