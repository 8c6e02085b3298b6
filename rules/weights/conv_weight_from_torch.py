from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Instance
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ..layers._layouts import axes_of
from ._torch import TURNED, comes_from_torch, holds_layer, is_torch_made

_CONV = re.compile(r"mlx\.nn\.Conv(Transpose)?\dd$")
_FUNCTIONS = frozenset(
    {f"mlx.core.conv{n}d" for n in (1, 2, 3)}
    | {"mlx.core.conv_general"}
    | {f"mlx.core.conv_transpose{n}d" for n in (1, 2, 3)}
)


@dataclass(frozen=True)
class Order:
    """In which order PyTorch and MLX keep the axes of some layers' weights."""

    layers: re.Pattern[str]
    torch: str
    mlx: str


_CONVOLUTIONS = Order(_CONV, "(out, in, space)", "MLX's convolutions take (out, space, in)")
_ORDERS = (
    _CONVOLUTIONS,
    Order(re.compile(r"mlx\.nn\.Bilinear$"), "(out, in1, in2)", "MLX's `nn.Bilinear` takes (out, in2, in1)"),
)
_SEQUENCES = re.compile(r"mlx\.nn\.Conv(Transpose)?1d$")


class ConvWeightFromTorch(Rule):
    """Weights of a convolution, or of `nn.Bilinear`, are taken from PyTorch without turning them

    ## What it does
    Finds torch weights that become the weight of an `nn.Conv*` or `nn.Bilinear` layer or of `mx.conv*`, or that are
    loaded into a model with such layers, in files that transpose nothing, or, where the model has an `nn.Conv1d`,
    nothing but arrays of four axes and more.

    ## PyTorch and MLX
    PyTorch keeps the weights of a convolution as (out, in, height, width), MLX as (out, height, width, in); transposed
    convolutions are (in, out, height, width) there and (out, height, width, in) here. Those of `nn.Bilinear` are
    (out, in1, in2) there and (out, in2, in1) here. `load_weights` raises for the wrong shape, unless the sizes happen
    to fit (a 3 by 3 kernel over RGB): then the layer computes something else.

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
    message = "{what} from PyTorch {verb} {torch}; {mlx}, and nothing is transposed"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not (isinstance(target, cst.Attribute) and target.attr.value == "weight"):
            return
        layer = context.value(target.value)
        if not isinstance(layer, Instance) or layer.code is not None:
            return
        order = next((order for order in _ORDERS if order.layers.match(layer.type)), None)
        if order is not None and is_torch_made(node.value, context):
            self._report(node, node.value, order, context, because=[target.value])

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee in _FUNCTIONS:
            weight = context.argument(node, 1, "weight")
            if weight is not None and is_torch_made(weight, context):
                self._report(node, weight, _CONVOLUTIONS, context, because=[weight])
        elif callee is not None and callee.startswith("mlx.nn.") and callee.endswith(".load_weights") and node.args:
            weights, receiver = node.args[0].value, context.receiver(node)
            if TURNED.search(context.module.text):
                orders = [_CONVOLUTIONS] if holds_layer(receiver, _SEQUENCES) and _turns_maps_alone(context) else []
            else:
                orders = [order for order in _ORDERS if holds_layer(receiver, order.layers)]
            if orders and comes_from_torch(weights, context):
                self._report(node, weights, orders[0], context, confidence=LIKELY)

    def _report(
        self, node: cst.CSTNode, weight: cst.BaseExpression, order: Order, context: Context, **how: Any
    ) -> None:
        several = isinstance(node, cst.Call) and node.args[0].value is weight
        what = f"weights in `{context.brief(weight)}`" if several else f"`{context.brief(weight)}`"
        verb = "are" if several else "is"
        context.report(self, node, what=what, verb=verb, torch=order.torch, mlx=order.mlx, **how)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        conv, torch_weight = nn.Conv2d(3, 8, 5), mx.zeros((8, 3, 5, 5))
        bias = ("bias", mx.zeros((8,)))
        hazard = raises(lambda: conv.load_weights([("weight", torch_weight), bias]), ValueError)
        conv.load_weights([("weight", torch_weight.transpose(0, 2, 3, 1)), bias])
        return Evidence(hazard, shown(conv.weight.shape == (8, 5, 5, 3), f"weight {conv.weight.shape}"))


def _turns_maps_alone(context: Context) -> bool:
    """Whether all that a file turns has four axes or more: kernels of one axis stay as they are."""
    calls = (part for part in context.walk(context.tree, into_functions=True) if isinstance(part, cst.Call))
    turns = [c for c in calls if isinstance(c.func, cst.Attribute) and TURNED.fullmatch(c.func.attr.value)]
    axes = [[axis for arg in turn.args for axis in axes_of(context.value(arg.value)) or ()] for turn in turns]
    return len(TURNED.findall(context.module.text)) == len(axes) > 0 and all(len(each) > 3 for each in axes)
