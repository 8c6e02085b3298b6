from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.model.values import LIKELY, Array, Dict, Foreign, Instance, Sequence, Value, as_array, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._paths import assigned

_TURNED = re.compile(r"transpose|permute|moveaxis|movedim|swapaxes|einsum|rearrange|sanitize|\.[mT]T\b|\.T\b")
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

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not (isinstance(target, cst.Attribute) and target.attr.value == "weight"):
            return
        layer = context.value(target.value)
        if (
            isinstance(layer, Instance)
            and layer.code is None
            and _CONV.match(layer.type)
            and _is_torch_made(node.value, context)
        ):
            context.report(self, node, because=[target.value], what=f"`{context.brief(node.value)}`", verb="is")

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee in _FUNCTIONS:
            weight = context.argument(node, 1, "weight")
            if weight is not None and _is_torch_made(weight, context):
                context.report(self, node, because=[weight], what=f"`{context.brief(weight)}`", verb="is")
        elif callee is not None and callee.startswith("mlx.nn.") and callee.endswith(".load_weights") and node.args:
            weights, receiver = node.args[0].value, context.receiver(node)
            if (
                not _TURNED.search(context.module.text)
                and _has_convolutions(receiver)
                and _comes_from_torch(weights, context)
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


def _is_torch_made(node: cst.BaseExpression | None, context: Context) -> bool:
    """Whether an expression is ``mx.array`` of a torch tensor, by way of NumPy or not, with its axes as they were."""
    if node is None:
        return False
    array = as_array(context.value(node))
    if (
        array is None
        or array.op not in ("mlx.core.array", "mlx.core.asarray")
        or not isinstance(array.node, cst.Call)
        or not array.node.args
    ):
        return False
    given = array.node.args[0].value
    if any(isinstance(part, cst.Name) and _TURNED.search(part.value) for part in tree.walk(given)):
        return False
    return any(_is_torch(member) for member in members(context.value(given)))


def _is_torch(value: Value) -> bool:
    return isinstance(value, Foreign) and (
        value.type == "torch.Tensor" or (value.op or "").startswith("torch.Tensor.numpy")
    )


def _comes_from_torch(node: cst.BaseExpression | None, context: Context) -> bool:
    """Whether a list or dict of weights is made from torch tensors in this file."""
    if isinstance(node, cst.Name):
        made = assigned(node, context)
        return made is not None and _comes_from_torch(made, context)
    if node is None or not isinstance(context.value(node), (Dict, Sequence)):
        return False
    return any(isinstance(part, cst.Call) and _is_torch_made(part, context) for part in tree.walk(node)) or any(
        isinstance(part, cst.Name)
        and part is not node
        and isinstance(context.value(part), (Dict, Sequence))
        and _comes_from_torch(part, context)
        for part in tree.walk(node)
    )


def _has_convolutions(value: Value, seen: tuple[ClassCode, ...] = ()) -> bool:
    """Whether a module, or a module in it, is a convolution."""
    if isinstance(value, Instance) and value.code is None:
        return bool(_CONV.match(value.type)) or any(_has_convolutions(arg, seen) for arg in value.args)
    if isinstance(value, Sequence):
        return _has_convolutions(value.joined(), seen)
    if not isinstance(value, Instance) or value.code is None or value.code in seen:
        return False
    stored = (v for code in value.code.ancestry()[0] for v in code.attributes.values() if not isinstance(v, Array))
    return any(_has_convolutions(member, (*seen, value.code)) for v in stored for member in members(v))
