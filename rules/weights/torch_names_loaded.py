from __future__ import annotations

import re
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._torch import comes_from_torch, holds_layer


@dataclass(frozen=True)
class Names:
    """Layers whose weights have other names in PyTorch, and what a file that renames them says."""

    layers: re.Pattern[str]
    renamed: re.Pattern[str]
    torch: str
    mlx: str


_NAMES = (
    Names(
        re.compile(r"mlx\.nn\.(LSTM|GRU|RNN)$"),
        re.compile(r"weight_ih|_ih_l|_l0|\bWx\b"),
        "`weight_ih_l0`, `weight_hh_l0` and two biases",
        "`Wx`, `Wh` and one bias",
    ),
    Names(
        re.compile(r"mlx\.nn\.MultiHeadAttention$"),
        re.compile(r"in_proj|query_proj"),
        "one `in_proj_weight`",
        "`query_proj`, `key_proj` and `value_proj`",
    ),
    Names(
        re.compile(r"mlx\.nn\.BatchNorm$"),
        re.compile(r"num_batches|batches_tracked"),
        "`num_batches_tracked`",
        "no such array",
    ),
    Names(re.compile(r"mlx\.nn\.Sequential$"), re.compile(r"layers\b"), "`0.weight`", "`layers.0.weight`"),
)


class TorchNamesLoaded(Rule):
    """A PyTorch state dict is loaded under names that MLX's layers do not have

    ## What it does
    Finds `load_weights` with a PyTorch state dict into a model with recurrent layers, `nn.MultiHeadAttention`,
    `nn.BatchNorm` or `nn.Sequential`, in files that nowhere mention the names that must change.

    ## PyTorch and MLX
    Most names agree. These do not: `weight_ih_l0` is `Wx`, `in_proj_weight` is three projections,
    `num_batches_tracked` does not exist, and the layers of an `nn.Sequential` are named `layers.0`, not `0`.
    `load_weights` raises for each.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import torch

    reference, model = torch.nn.LSTM(2, 3), nn.LSTM(2, 3)
    state = reference.state_dict()
    model.load_weights([(k, mx.array(v.numpy())) for k, v in state.items()])
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import torch

    reference, model = torch.nn.LSTM(2, 3), nn.LSTM(2, 3)
    state = {k: mx.array(v.numpy()) for k, v in reference.state_dict().items()}
    bias = state["bias_ih_l0"] + state["bias_hh_l0"]
    model.load_weights([("Wx", state["weight_ih_l0"]), ("Wh", state["weight_hh_l0"]), ("bias", bias)])
    ```

    ## References
    - [Module.load_weights](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.load_weights.html)
    """

    code = "MLX908"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"load_weights"})
    message = "PyTorch names {torch}, and MLX has {mlx}: nothing is renamed here"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not callee.startswith("mlx.nn.") or not callee.endswith(".load_weights") or not node.args:
            return
        strict = context.argument(node, 1, "strict")
        if strict is not None and constant(context.value(strict), bool) is not True:
            return
        receiver = context.receiver(node)
        missing = [n for n in _NAMES if not n.renamed.search(context.module.text) and holds_layer(receiver, n.layers)]
        if missing and comes_from_torch(node.args[0].value, context):
            context.report(self, node, confidence=LIKELY, torch=missing[0].torch, mlx=missing[0].mlx)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        lstm = nn.LSTM(2, 1)
        wx, wh, bias = mx.ones((4, 2)), mx.ones((4, 1)), mx.ones(4)
        torch_names = [("weight_ih_l0", wx), ("weight_hh_l0", wh), ("bias_ih_l0", bias), ("bias_hh_l0", bias)]
        hazard = raises(lambda: lstm.load_weights(torch_names), ValueError)
        lstm.load_weights([("Wx", wx), ("Wh", wh), ("bias", bias * 2)])
        return Evidence(hazard, shown(lstm.bias.sum().item() == 8, "renamed, they are loaded"))
