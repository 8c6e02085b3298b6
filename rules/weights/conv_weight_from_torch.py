from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Instance
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._torch import TURNED, comes_from_torch, holds_layer, is_torch_made

_CONV = re.compile(r"mlx\.nn\.Conv(Transpose)?\dd$")
_FUNCTIONS = frozenset(
    {f"mlx.core.conv{n}d" for n in (1, 2, 3)}
    | {"mlx.core.conv_general"}
    | {f"mlx.core.conv_transpose{n}d" for n in (1, 2, 3)}
)


class ConvWeightFromTorch(Rule):
    """Weights of a convolution are taken from PyTorch without turning them

    ## What it does
    Finds torch weights that become the weight of an `nn.Conv*` layer or of `mx.conv*`, or that are loaded into a model
    with convolutions, in files that transpose nothing.

    ## PyTorch and MLX
    PyTorch keeps the weights of a convolution as (out, in, height, width), MLX as (out, height, width, in); transposed
    convolutions are (in, out, height, width) there and (out, height, width, in) here. `load_weights` raises for the
    wrong shape, unless the sizes happen to fit (a 3 by 3 kernel over RGB): then the layer computes something else.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import torch

    reference, conv = torch.nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
    conv.weight = mx.array(reference.weight.detach().numpy())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import torch

    reference, conv = torch.nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)
    conv.weight = mx.array(reference.weight.detach().numpy()).transpose(0, 2, 3, 1)
    ```

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX906"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"load_weights"} | {name.rpartition(".")[2] for name in _FUNCTIONS})
    message = (
        "{what} from PyTorch {verb} (out, in, space); MLX's convolutions take (out, space, in), and nothing "
        "is transposed"
    )
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not (isinstance(target, cst.Attribute) and target.attr.value == "weight"):
            return
        layer = context.value(target.value)
        if (
            isinstance(layer, Instance)
            and layer.code is None
            and _CONV.match(layer.type)
            and is_torch_made(node.value, context)
        ):
            context.report(self, node, because=[target.value], what=f"`{context.brief(node.value)}`", verb="is")

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee in _FUNCTIONS:
            weight = context.argument(node, 1, "weight")
            if weight is not None and is_torch_made(weight, context):
                context.report(self, node, because=[weight], what=f"`{context.brief(weight)}`", verb="is")
        elif callee is not None and callee.startswith("mlx.nn.") and callee.endswith(".load_weights") and node.args:
            weights, receiver = node.args[0].value, context.receiver(node)
            if (
                not TURNED.search(context.module.text)
                and holds_layer(receiver, _CONV)
                and comes_from_torch(weights, context)
            ):
                context.report(self, node, confidence=LIKELY, what=f"weights in `{context.brief(weights)}`", verb="are")

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        conv, torch_weight = nn.Conv2d(3, 8, 5), mx.zeros((8, 3, 5, 5))
        bias = ("bias", mx.zeros((8,)))
        hazard = raises(lambda: conv.load_weights([("weight", torch_weight), bias]), ValueError)
        conv.load_weights([("weight", torch_weight.transpose(0, 2, 3, 1)), bias])
        return Evidence(hazard, shown(conv.weight.shape == (8, 5, 5, 3), f"weight {conv.weight.shape}"))
