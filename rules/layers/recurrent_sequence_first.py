from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array, Dim
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown

from ._layouts import axes_given, layer_called, operand

_LAYERS = frozenset(
    f"mlx.nn.{name}"
    for name in "RNN GRU LSTM MultiHeadAttention TransformerEncoder TransformerDecoder Transformer".split()
)
_TIME = re.compile(r"^(?:t|l|s|seq|seq_len|seqlen|seq_length|time|steps|length|timesteps|T|L|S)$")
_BATCH = re.compile(r"^(?:b|n|bs|bsz|batch|batch_size|B|N)$")


class RecurrentSequenceFirst(Rule):
    """A sequence is brought to (time, batch, features) for a layer that takes (batch, time, features)

    ## What it does
    Finds `nn.LSTM`, `nn.GRU`, `nn.RNN`, `nn.MultiHeadAttention` and transformers whose input had its first two axes
    exchanged in the call, or whose shape was unpacked as `T, B, D`.

    ## PyTorch and MLX
    PyTorch's recurrent and attention layers take the time first unless `batch_first=True`. MLX's take the batch first:
    the shapes fit, and the layer runs along the batch.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = nn.Embedding(10, 3)(mx.zeros((2, 5), dtype=mx.int32))  # batch, time, features
    states = nn.GRU(3, 4)(x.swapaxes(0, 1))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = nn.Embedding(10, 3)(mx.zeros((2, 5), dtype=mx.int32))  # batch, time, features
    states = nn.GRU(3, 4)(x)
    ```

    ## References
    - [GRU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GRU.html)
    - [MultiHeadAttention](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MultiHeadAttention.html)
    """

    code = "MLX368"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"__call__"})
    message = "`{layer}` takes (batch, time, features), and `{input}` is (time, batch, features)"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, _LAYERS)
        given = None if layer is None or not node.args or node.args[0].star else node.args[0].value
        array = context.array(given)
        if layer is None or given is None or array is None:
            return
        if _is_exchanged(array, context) or _is_time_first(array):
            name = layer.type.replace("mlx.nn.", "nn.")
            context.report(self, node, because=[given], confidence=LIKELY, layer=name, input=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        gru, x = nn.GRU(2, 3), mx.random.normal((2, 4, 2))
        right = gru(x)
        return Evidence(
            differs(gru(x.swapaxes(0, 1)).swapaxes(0, 1), right),
            shown(right.shape == (2, 4, 3), "batch first: (2, 4, 3)"),
        )


def _is_exchanged(array: Array, context: Context) -> bool:
    """Whether an array is the result of exchanging the first two of three axes of what was batch first."""
    node, op = array.node, (array.op or "").rpartition(".")[2]
    if not isinstance(node, cst.Call) or op not in ("swapaxes", "transpose", "moveaxis"):
        return False
    axes = axes_given(node, context)
    if axes not in ([0, 1], [1, 0]) if op != "transpose" else axes != [1, 0, 2]:
        return False
    source = context.array(operand(node, context))
    return source is not None and source.rank in (None, 3) and _is_batch_first(source)


def _names(array: Array) -> tuple[str, str]:
    first, second, *_ = (*(array.shape or ()), None, None)
    return (first.name if isinstance(first, Dim) else "", second.name if isinstance(second, Dim) else "")


def _is_batch_first(array: Array) -> bool:
    """Whether an array is (batch, time, …): an embedding of tokens, or by how its sizes are called."""
    batch, time = _names(array)
    return (array.op or "").endswith("Embedding.__call__") or bool(_BATCH.match(batch) and _TIME.match(time))


def _is_time_first(array: Array) -> bool:
    time, batch = _names(array)
    return array.rank == 3 and bool(_TIME.match(time) and _BATCH.match(batch))
