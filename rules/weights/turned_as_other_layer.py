from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Instance, Sequence, Value, constant, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ..layers._layouts import axes_of

_EXCHANGING = dict.fromkeys(("swapaxes", "moveaxis", "movedim"), ((1, -1), (1, 2), (2, 1), (-1, -2), (-2, -1)))
_TURNING = frozenset({"transpose", "permute", *_EXCHANGING})
# What brings PyTorch's weight into MLX's order, by the number of axes: of a convolution, and of a transposed one.
_CONV = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_TRANSPOSED = {3: (1, 2, 0), 4: (1, 2, 3, 0), 5: (1, 2, 3, 4, 0)}
_KIND = re.compile(r"mlx\.nn\.Conv(Transpose)?\dd$")


class TurnedAsOtherLayer(Rule):
    """The weights of transposed convolutions, picked by name, are turned as those of convolutions, or the reverse

    ## What it does
    Finds `weight.transpose(0, 2, 3, 1)` under a condition on the name (`"up" in name`) that is the name of
    `nn.ConvTranspose*` layers in the file's models and of no other convolution; and `transpose(1, 2, 3, 0)` for names
    of `nn.Conv*` layers.

    ## PyTorch and MLX
    Both kinds are (out, height, width, in) in MLX. In PyTorch a convolution's weight is (out, in, height, width), and a
    transposed convolution's is (in, out, height, width). Where a layer has as many channels in as out, the wrong order
    is loaded without a word.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)


    def convert(name, weight):
        if name.startswith("up") and weight.ndim == 4:
            weight = weight.transpose(0, 2, 3, 1)
        return name, weight
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)


    def convert(name, weight):
        if name.startswith("up") and weight.ndim == 4:
            weight = weight.transpose(1, 2, 3, 0)
        return name, weight
    ```

    ## References
    - [ConvTranspose2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.ConvTranspose2d.html)
    """

    code = "MLX914"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset(f".{name}" for name in _TURNING)
    message = "`{name}` is an `nn.{layer}`: its weight is turned by `transpose{right}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        is_conv = _is_order_of_conv(node, context)
        names = [] if is_conv is None else _names_asked(node, context)
        if not names:
            return
        layers = [(name, layer) for name, layer in _convolutions(context) if any(each in name for each in names)]
        if layers and all(("Transpose" in layer) is is_conv for _, layer in layers):
            right = (_TRANSPOSED if is_conv else _CONV)[int(layers[0][1][-2]) + 2]
            context.report(self, node, confidence=LIKELY, name=layers[0][0], layer=layers[0][1][7:], right=right)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        torch_weight, x = mx.arange(16.0).reshape(2, 2, 2, 2), mx.ones((1, 1, 1, 2))  # in, out, height, width
        expected = torch_weight.sum(axis=0).transpose(1, 2, 0)[None]
        return Evidence(
            differs(mx.conv_transpose2d(x, torch_weight.transpose(0, 2, 3, 1)), expected),
            agrees(mx.conv_transpose2d(x, torch_weight.transpose(1, 2, 3, 0)), expected),
        )


def _is_order_of_conv(node: cst.Call, context: Context) -> bool | None:
    """Whether a call turns an array as a convolution's weight, or as a transposed one's; None: as neither."""
    name = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
    axes = tuple(axis for arg in node.args for axis in axes_of(context.value(arg.value)) or ())
    if name in _EXCHANGING:
        return True if axes in _EXCHANGING[name] else None
    return {_CONV.get(len(axes)): True, _TRANSPOSED.get(len(axes)): False}.get(axes)


def _names_asked(node: cst.Call, context: Context) -> list[str]:
    """The parts of names that the nearest condition around a call on names asks for."""
    child: cst.CSTNode = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, (cst.FunctionDef, cst.ClassDef)):
            return []
        if isinstance(ancestor, (cst.If, cst.IfExp)) and child is ancestor.body:
            names = _strings(ancestor.test, context)
            if names:
                return names
        child = ancestor
    return []


def _strings(test: cst.BaseExpression, context: Context) -> list[str]:
    """``up`` of ``"up" in name and …`` and of ``name.startswith("up.")``; none where something is negated."""
    if any(isinstance(part, (cst.Not, cst.NotIn, cst.Or)) for part in context.walk(test)):
        return []
    found = []
    for part in context.walk(test):
        if isinstance(part, cst.Comparison) and isinstance(part.comparisons[0].operator, cst.In):
            found.append(constant(context.value(part.left), str))
        elif isinstance(part, cst.Call) and isinstance(part.func, cst.Attribute) and part.args:
            if part.func.attr.value == "startswith":
                found.append(constant(context.value(part.args[0].value), str))
    return [name.strip(".") for name in found if name and name.strip(".") and "weight" not in name]


def _convolutions(context: Context) -> list[tuple[str, str]]:
    """The names under which the modules of the file hold convolutions, each with the layer's class."""
    owners = [code for code in context.module.classes.values() if code.is_mlx_module]
    stored = [(name, value) for code in owners for name, value in code.attributes.items()]
    return [(name, layer) for name, value in stored for layer in _layers(value) if _KIND.match(layer)]


def _layers(value: Value) -> list[str]:
    """The classes of MLX's layers in an attribute, through lists and `nn.Sequential`."""
    if isinstance(value, Sequence):
        return _layers(value.joined())
    layers = [member for member in members(value) if isinstance(member, Instance)]
    inner = [
        layer
        for member in layers
        if member.type == "mlx.nn.Sequential"
        for arg in member.args
        for layer in _layers(arg)
    ]
    return [member.type for member in layers] + inner
