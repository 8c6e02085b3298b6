from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.model.values import LIKELY, Array, Class, Instance, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from .._operations import bare
from ..layers._layouts import axes_of
from ._torch import holds_layer

_RANK = re.compile(r"(?:len[\w.]+\.shape,?|[\w.]+\.ndim|[\w.]+\.dim)==(\d)")
_TURNS: dict[str, set[tuple[int, ...]]] = {
    "transpose": {(0, 2, 3, 1), (0, 2, 1), (0, 2, 3, 4, 1)},
    "permute": {(0, 2, 3, 1), (0, 2, 1), (0, 2, 3, 4, 1)},
    "moveaxis": {(1, -1)},
    "movedim": {(1, -1)},
    "swapaxes": {(1, 2), (2, 1), (-1, -2), (-2, -1)},
}


class TurnedByRank(Rule):
    """All weights of a rank are turned as a convolution's, and the model has others of that rank

    ## What it does
    Finds `weight.transpose(0, 2, 3, 1)` and the like under a condition on the rank alone, in files with a model that
    has transposed convolutions, or, for three axes, position embeddings and other arrays of that rank.

    ## PyTorch and MLX
    A convolution's weight (out, in, h, w) becomes (out, h, w, in) by `transpose(0, 2, 3, 1)`. A transposed
    convolution's is (in, out, h, w) in PyTorch and needs `transpose(1, 2, 3, 0)`; a position embedding of shape
    (1, length, dims) needs nothing. Where sizes agree the wrong one is loaded without a word. Ask for the name too.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3)
            self.up = nn.ConvTranspose2d(4, 4, 3)


    def convert(weights):
        return {k: v.transpose(0, 2, 3, 1) if v.ndim == 4 else v for k, v in weights.items()}
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(4, 4, 3)
            self.up = nn.ConvTranspose2d(4, 4, 3)


    def convert(weights):
        turned = {}
        for k, v in weights.items():
            if k.startswith("up."):
                v = v.transpose(1, 2, 3, 0) if v.ndim == 4 else v
            elif v.ndim == 4:
                v = v.transpose(0, 2, 3, 1)
            turned[k] = v
        return turned
    ```

    ## References
    - [ConvTranspose2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.ConvTranspose2d.html)
    """

    code = "MLX910"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "all weights with {rank} axes are turned as a convolution's, and {other}"

    def visit_IfExp(self, node: cst.IfExp, context: Context) -> None:
        self._check(node, node.body, context)

    def visit_If(self, node: cst.If, context: Context) -> None:
        self._check(node, node.body, context)

    def _check(self, node: cst.If | cst.IfExp, body: cst.CSTNode, context: Context) -> None:
        if not isinstance(node.test, cst.Comparison) or not isinstance(node.test.comparisons[0].operator, cst.Equal):
            return
        turn = next((call for call in context.nodes(body, cst.Call) if _is_turn(call, context)), None)
        rank = _RANK.fullmatch(bare(node.test, context)) if turn is not None else None
        if turn is None or rank is None or _is_told_apart(node, context):
            return
        other = _other_weights(int(rank.group(1)), context)
        if other is not None:
            context.report(self, turn, confidence=LIKELY, rank=rank.group(1), other=other)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        torch_weight, x = mx.arange(16.0).reshape(2, 2, 2, 2), mx.ones((1, 1, 1, 2))  # in, out, height, width
        expected = torch_weight.sum(axis=0).transpose(1, 2, 0)[None]
        return Evidence(
            differs(mx.conv_transpose2d(x, torch_weight.transpose(0, 2, 3, 1)), expected),
            agrees(mx.conv_transpose2d(x, torch_weight.transpose(1, 2, 3, 0)), expected),
        )


def _is_turn(call: cst.Call, context: Context) -> bool:
    """Whether a call turns (out, in, space) to (out, space, in)."""
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _TURNS:
        return False
    axes = tuple(axis for arg in call.args for axis in axes_of(context.value(arg.value)) or ())
    return axes in _TURNS[call.func.attr.value]


def _is_told_apart(node: cst.If | cst.IfExp, context: Context) -> bool:
    """Whether other conditions stand around this one, or after it."""
    if node.orelse is not None and isinstance(node.orelse, cst.If):
        return True
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, (cst.FunctionDef, cst.ClassDef)):
            return False
        if isinstance(ancestor, (cst.If, cst.IfExp)):
            return True
        if isinstance(ancestor, cst.For) and any(isinstance(part, cst.Continue) for part in tree.walk(ancestor.body)):
            return True
    return False


def _other_weights(rank: int, context: Context) -> str | None:
    """What else than a convolution's weight has so many axes in the models of the file."""
    transposed = re.compile(rf"mlx\.nn\.ConvTranspose{rank - 2}d$")
    for model in _models(context):
        if holds_layer(model, transposed):
            return f"the model has an `nn.ConvTranspose{rank - 2}d`"
        name = _array_of(rank, model) if rank == 3 else None
        if name is not None:
            return f"the model's `{name}` has as many"
    return None


def _models(context: Context) -> list[Value]:
    """The modules of which the file speaks: its own classes, and what is bound at its top level."""
    own: list[ClassCode] = [code for code in context.module.classes.values() if code.is_mlx_module]
    for value in context.module.env.values():
        if isinstance(value, Class) and value.code.is_mlx_module:
            own.append(value.code)
    return [Instance(code.qualified, code) for code in own]


def _array_of(rank: int, model: Value) -> str | None:
    """A parameter of a module with so many axes."""
    code = model.code if isinstance(model, Instance) else None
    attributes = {} if code is None else code.attributes
    return next(
        (
            name
            for name, value in attributes.items()
            if isinstance(value, Array) and value.rank == rank and not name.startswith("_")
        ),
        None,
    )
