from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from .._operations import operand
from ._layouts import layer_called

_DROPOUTS = {"mlx.nn.Dropout2d": 3, "mlx.nn.Dropout3d": 4}  # axes of a single image or volume
# Layers whose results with three axes are batches of sequences, never images.
_OF_SEQUENCES = frozenset(
    f"mlx.nn.{name}.__call__"
    for name in """Conv1d ConvTranspose1d MaxPool1d AvgPool1d Embedding LSTM GRU RNN MultiHeadAttention
    TransformerEncoder""".split()
)
_COLOURS = (1, 3, 4)
_STEPS = 4


class DropoutOfBatch(Rule):
    """`Dropout2d` takes a batch of sequences for one image, and drops the same channels in all of it

    ## What it does
    Finds `nn.Dropout2d` called with three axes that convolutions over one axis, embeddings, recurrent layers or
    attention made, or whose last one is known to be no axis of colours; and `nn.Dropout3d` with four.

    ## PyTorch and MLX
    PyTorch's `Dropout2d` drops per sample and channel in an input (N, C, L); `Dropout1d` is meant for it. MLX takes
    three axes for one image (H, W, C): one mask per channel, shared by the whole batch. With an axis of size 1 inside,
    each sequence has a mask of its own.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    conv, drop = nn.Conv1d(4, 8, 3), nn.Dropout2d(0.5)
    y = drop(conv(mx.zeros((2, 10, 4))))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    conv, drop = nn.Conv1d(4, 8, 3), nn.Dropout2d(0.5)
    y = drop(conv(mx.zeros((2, 10, 4)))[:, :, None]).squeeze(2)
    ```

    ## Fix safety
    The fix puts an axis of size 1 after the batch, and takes it out again. It is unsafe: a single image may be meant.

    ## References
    - [Dropout2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Dropout2d.html)
    """

    code = "MLX389"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"__call__"})
    message = (
        "`{input}` has {rank} axes: `{layer}` takes it for one {thing}, and drops the same channels in every sample"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, frozenset(_DROPOUTS))
        given = None if layer is None else context.argument(node, 0, "x")
        array = context.array(given)
        if layer is None or given is None or array is None or array.rank != _DROPOUTS[layer.type]:
            return
        if _is_batch(array, context):
            context.report(
                self, node, because=[given], confidence=LIKELY, input=context.brief(given), rank=array.rank,
                layer=layer.type.replace("mlx.nn.", "nn."), thing="image" if array.rank == 3 else "volume",
                fix=_apart(node, given, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x, drop = mx.ones((64, 1, 16)), nn.Dropout2d(0.5)
        shared, apart = drop(x), drop(x[:, :, None]).squeeze(2)
        return Evidence(
            shown(mx.all(shared == shared[:1]).item(), "all samples have one mask"),
            shown(not mx.all(apart == apart[:1]).item(), "each has its own"),
        )


def _is_batch(array: Array, context: Context) -> bool:
    """Whether what has the axes of one image is none: by its last size, or by the layer it comes from."""
    last = array.shape[-1] if array.shape else None
    if isinstance(last, int) and last not in _COLOURS:
        return True
    made: Array | None = array
    for _ in range(_STEPS):  # through activations and norms
        if made is None or made.op in _OF_SEQUENCES:
            return made is not None
        call = made.node if (made.op or "").startswith("mlx.nn.") else None
        made = context.array(call.args[0].value) if isinstance(call, cst.Call) and call.args else None
    return False


def _apart(node: cst.Call, given: cst.BaseExpression, context: Context) -> NodeFix:
    """An axis of size 1 is put in after the first of a sequence's, and taken out again."""
    text = f"{context.text(node.func)}({operand(given, context)}[:, :, None]).squeeze(2)"
    return NodeFix("Give each sample its own mask", [Replace(node, text)], Applicability.UNSAFE)
