from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Sequence
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._layouts import layer_called

_LAYERS = frozenset({"mlx.nn.LSTM"})


class RecurrentStateTuple(Rule):
    """The initial state of an LSTM is passed as a tuple

    ## What it does
    Finds `lstm(x, (h, c))`.

    ## PyTorch and MLX
    PyTorch takes the state as one tuple, each part with a leading axis for layers. MLX's `nn.LSTM` takes two arguments,
    `hidden` and `cell`, shaped (batch, features). A tuple raises.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    lstm = nn.LSTM(4, 8)
    h, c = mx.zeros((3, 8)), mx.zeros((3, 8))
    hidden, cells = lstm(mx.zeros((3, 5, 4)), (h, c))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    lstm = nn.LSTM(4, 8)
    h, c = mx.zeros((3, 8)), mx.zeros((3, 8))
    hidden, cells = lstm(mx.zeros((3, 5, 4)), h, c)
    ```

    ## Fix safety
    The fix passes the two parts of a literal tuple as two arguments; it is safe, since the tuple raises.

    ## References
    - [LSTM](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LSTM.html)
    """

    code = "MLX350"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"__call__"})
    message = "`nn.LSTM` takes the hidden and the cell state as two arguments, and `{state}` is a tuple"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) < 2 or layer_called(node, context, _LAYERS) is None:
            return
        state = context.argument(node, 1, "hidden")
        if state is not None and isinstance(context.value(state), Sequence):
            context.report(self, node, because=[state], fix=_parted(node, state, context), state=context.brief(state))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        lstm, x, h = nn.LSTM(2, 3), mx.zeros((1, 4, 2)), mx.zeros((1, 3))
        shape = lstm(x, h, h)[0].shape
        return Evidence(raises(lambda: lstm(x, (h, h))[0]), shown(shape == (1, 4, 3), f"two arguments: {shape}"))


def _parted(node: cst.Call, state: cst.BaseExpression, context: Context) -> NodeFix | None:
    if not (
        isinstance(state, cst.Tuple)
        and len(state.elements) == 2
        and len(node.args) == 2
        and node.args[1].keyword is None
    ):
        return None
    text = ", ".join(context.text(element.value) for element in state.elements)
    return NodeFix("Pass two arguments", [Replace(node.args[1], text)], Applicability.SAFE)
