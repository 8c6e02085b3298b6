from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Instance
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._layouts import layer_called, number
from ._losses import produced_by

_RECURRENT = frozenset({"mlx.nn.LSTM", "mlx.nn.GRU", "mlx.nn.RNN"})


class RecurrentResult(Rule):
    """The result of a recurrent layer is taken apart as in PyTorch

    ## What it does
    Finds `out, (h, c) = lstm(x)`, `out, h = gru(x)`, `gru(x)[0]`, and `[-1]` or `[0]` of the hidden states that a layer
    returns.

    ## PyTorch and MLX
    PyTorch returns `(output, state)`, the state with a leading axis for layers. In MLX `nn.GRU` and `nn.RNN` return one
    array, the hidden states of all steps, and `nn.LSTM` two: all hidden states and all cell states, both shaped (batch,
    time, features). Unpacking raises, or, with a batch of two, parts the batch; `hidden[-1]` is the last item of the
    batch. The last step is `hidden[:, -1]`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    gru = nn.GRU(4, 8)
    outputs = gru(mx.zeros((3, 5, 4)))[0]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    gru = nn.GRU(4, 8)
    outputs = gru(mx.zeros((3, 5, 4)))
    last = outputs[:, -1]
    ```

    ## Fix safety
    The fix takes the last step of the states, or the states of all steps where PyTorch gives outputs and last
    states. It is unsafe: shapes change, and an item of the batch may be what is meant.

    ## References
    - [GRU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GRU.html)
    - [LSTM](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LSTM.html)
    """

    code = "MLX349"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "{what}"
    targets = frozenset({cst.Tuple, cst.List})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not (isinstance(target, (cst.Tuple, cst.List)) and isinstance(node.value, cst.Call)):
            return
        layer = layer_called(node.value, context, _RECURRENT)
        if layer is None or len(target.elements) != 2:
            return
        if layer.type != "mlx.nn.LSTM":
            what = f"`{_short(layer)}` returns one array, the hidden states of all steps: unpacking it parts the batch"
        elif any(isinstance(element.value, (cst.Tuple, cst.List)) for element in target.elements):
            what = "`nn.LSTM` returns the hidden states and the cell states of all steps, not `(output, (h, c))`"
        else:
            return
        fix = _unpacked(target, context)
        context.report(self, node, because=[node.value.func], what=what, repro={"layer": layer.type[7:]}, fix=fix)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        if len(node.slice) != 1 or not isinstance(index, cst.Index):
            return
        at = number(context.value(index.value))
        if at not in (0, -1):
            return
        call = node.value if isinstance(node.value, cst.Call) else None
        layer = None if call is None else layer_called(call, context, _RECURRENT)
        if call is not None and layer is not None:
            if layer.type != "mlx.nn.LSTM" and _may_be_batched(call, context):
                what = f"`{_short(layer)}` returns one array: `[{at}]` of it is an item of the batch, not the outputs"
                fix = NodeFix("Use the outputs", [Replace(node, context.text(call))], Applicability.UNSAFE)
                context.report(
                    self, node, because=[node.value], confidence=LIKELY, what=what, repro={"layer": layer.type[7:]},
                    fix=fix if at == 0 else None,
                )  # fmt: skip
            return
        states = context.array(node.value)
        if (
            states is not None
            and produced_by(states, "LSTM", "GRU", "RNN")
            and states.rank in (None, 3)
            and not _by_rank(node, context)
        ):
            what = (
                f"`{context.brief(node.value)}` is shaped (batch, time, features): "
                f"`[{at}]` is an item of the batch, the last step is `[:, -1]`"
            )
            last = NodeFix("Take the last step", [Replace(index, ":, -1")], Applicability.UNSAFE)
            context.report(
                self, node, because=[node.value], confidence=LIKELY, what=what, fix=last if at == -1 else None
            )

    @staticmethod
    def repro(layer: str = "GRU") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.zeros((3, 5, 4))
        if layer == "LSTM":
            lstm = nn.LSTM(4, 8)

            def unpack() -> None:
                _, (_, _) = lstm(x)

            shape = lstm(x)[0].shape
            return Evidence(raises(unpack, ValueError), shown(shape == (3, 5, 8), f"hidden states: {shape}"))
        result = getattr(nn, layer)(4, 8)(x)
        return Evidence(
            shown(result[0].shape == (5, 8), f"[0] has shape {result[0].shape}"),
            shown(result.shape == (3, 5, 8), f"the result has shape {result.shape}"),
        )


def _unpacked(target: cst.Tuple | cst.List, context: Context) -> NodeFix | None:
    """``_, (h, _)`` names the last hidden states only: ``h, _`` names those of all steps."""
    first, rest = (element.value for element in target.elements)
    if context.text(first) != "_" or not isinstance(rest, (cst.Tuple, cst.List)) or len(rest.elements) != 2:
        return None
    hidden, cell = (context.text(element.value) for element in rest.elements)
    if cell != "_":
        return None
    return NodeFix("Unpack the states of all steps", [Replace(target, f"{hidden}, _")], Applicability.UNSAFE)


def _short(layer: Instance) -> str:
    return layer.type.replace("mlx.nn.", "nn.")


def _may_be_batched(call: cst.Call, context: Context) -> bool:
    given = context.array(context.argument(call, 0, "x"))
    return given is None or given.rank in (None, 3)


def _by_rank(node: cst.Subscript, context: Context) -> bool | None:
    """Whether the result is given a batch axis again: the input was one sequence."""
    parent = context.parent(node)
    return isinstance(parent, cst.Subscript) and parent.value is node
