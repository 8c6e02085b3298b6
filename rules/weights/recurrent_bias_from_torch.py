from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY, Instance, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

_INPUT, _STATE = re.compile(r"bias_ih"), re.compile(r"bias_hh")

_ONE = re.compile(r"\.?bias_(ih|hh)(_l\d+)?$")
_SUM = re.compile(r"bias[^\n]*\+|\+[^\n]*bias|\+=")  # something is added to a bias, or two values under one name


class RecurrentBiasFromTorch(Rule):
    """One of PyTorch's two biases becomes the bias of a recurrent layer, or a GRU gets their sum

    ## What it does
    Finds `lstm.bias = …` and `rnn.bias = …` made of `bias_ih` alone, and `gru.b = …` made of `bias_ih` alone in files
    without `bias_hh`, or of the whole sum of both; and names in which `bias_ih` or `bias_hh` is replaced by `bias`, in
    files that add no biases up.

    ## PyTorch and MLX
    PyTorch's layers have two biases, of which `nn.LSTM` and `nn.RNN` of MLX have the sum. In a GRU the last third of
    `bias_hh` stands inside the reset gate: MLX's `b` is the sum for the first two thirds and `bias_ih` for the
    last, and `bhn` is the last third of `bias_hh`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    state = {"bias_ih_l0": mx.zeros((12,)), "bias_hh_l0": mx.ones((12,))}
    lstm = nn.LSTM(2, 3)
    lstm.bias = state["bias_ih_l0"]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    state = {"bias_ih_l0": mx.zeros((12,)), "bias_hh_l0": mx.ones((12,))}
    lstm = nn.LSTM(2, 3)
    lstm.bias = state["bias_ih_l0"] + state["bias_hh_l0"]
    ```

    ## References
    - [LSTM](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LSTM.html)
    - [GRU](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GRU.html)
    """

    code = "MLX911"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "{problem}"
    targets = frozenset({cst.Attribute})
    calls = frozenset({".replace"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        old, new = (
            (constant(context.value(arg.value), str) for arg in node.args[:2]) if len(node.args) > 1 else (None,) * 2
        )
        if old is None or new is None or not _ONE.match(old) or new.rpartition(".")[2] not in ("bias", "b"):
            return
        if not _SUM.search(context.module.text):
            context.report(self, node, confidence=LIKELY, problem="the bias is the sum of `bias_ih` and `bias_hh`")

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Attribute) or target.attr.value not in ("bias", "b"):
            return
        layer = context.value(target.value)
        if not isinstance(layer, Instance) or layer.type not in ("mlx.nn.LSTM", "mlx.nn.RNN", "mlx.nn.GRU"):
            return
        text = _names_in(node.value, context)
        has_input, has_state = bool(_INPUT.search(text)), bool(_STATE.search(text))
        problem = None
        if layer.type != "mlx.nn.GRU" and has_input != has_state:
            problem = "the bias is the sum of `bias_ih` and `bias_hh`"
        elif layer.type == "mlx.nn.GRU" and has_input and has_state and isinstance(node.value, cst.BinaryOperation):
            problem = "the last third of a GRU's `b` is that of `bias_ih` alone: that of `bias_hh` is `bhn`"
        elif layer.type == "mlx.nn.GRU" and has_input and not _STATE.search(context.module.text):
            problem = "`bias_hh` is left out of `b` and `bhn`"
        if problem is not None:
            context.report(self, node, because=[target.value], confidence=LIKELY, problem=problem)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        lstm, x = nn.LSTM(1, 1), mx.ones((1, 1, 1))
        lstm.Wx = lstm.Wh = mx.zeros((4, 1))
        bias_ih, bias_hh = mx.zeros(4), mx.ones(4)
        gate = mx.sigmoid(mx.array(1.0))
        expected = gate * mx.tanh(gate * mx.tanh(mx.array(1.0)))
        lstm.bias = bias_ih
        hazard = differs(lstm(x)[0].reshape(()), expected)
        lstm.bias = bias_ih + bias_hh
        return Evidence(hazard, agrees(lstm(x)[0].reshape(()), expected))


def _names_in(node: cst.BaseExpression, context: Context) -> str:
    """The names and strings below an expression."""
    parts = (tree.dotted(part) or constant(context.value(part), str) for part in tree.walk(node))
    return " ".join(part for part in parts if part)
