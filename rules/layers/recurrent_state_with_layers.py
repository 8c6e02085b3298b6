from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown

from ._layouts import layer_called

_LAYERS = frozenset({"mlx.nn.RNN", "mlx.nn.GRU", "mlx.nn.LSTM"})


class RecurrentStateWithLayers(Rule):
    """A recurrent layer is given an initial state with PyTorch's axis of layers

    ## What it does
    Finds initial states of three axes given to `nn.LSTM`, `nn.GRU` and `nn.RNN`.

    ## PyTorch and MLX
    PyTorch's initial state is (layers, batch, features). An MLX layer is one layer, and its state is (batch, features):
    with a third axis the result is broadcast to four axes, with no error.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    states = nn.GRU(3, 4)(mx.zeros((2, 5, 3)), mx.zeros((1, 2, 4)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    states = nn.GRU(3, 4)(mx.zeros((2, 5, 3)), mx.zeros((2, 4)))
    ```

    ## References
    - [GRU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GRU.html)
    - [LSTM](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LSTM.html)
    """

    code = "MLX369"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "`{state}` has three axes; the state of `{layer}` is (batch, features)"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, _LAYERS)
        if layer is None:
            return
        for index, name in ((1, "hidden"), (2, "cell")):
            state = context.argument(node, index, name)
            array = context.array(state)
            if state is not None and array is not None and array.rank == 3:
                layer_name = layer.type.replace("mlx.nn.", "nn.")
                context.report(self, state, because=[state], state=context.brief(state), layer=layer_name)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        gru, x = nn.GRU(3, 4), mx.zeros((2, 5, 3))
        right = gru(x, mx.zeros((2, 4))).shape
        return Evidence(
            differs(len(gru(x, mx.zeros((1, 2, 4))).shape), 3, what="axes"), shown(right == (2, 5, 4), f"shape {right}")
        )
