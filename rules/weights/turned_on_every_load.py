from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from .._operations import bare
from ..layers._layouts import axes_of

_TURNS = frozenset({"transpose", "moveaxis", "swapaxes"})


class TurnedOnEveryLoad(Rule):
    """`sanitize` turns the weights of a convolution that may have been turned already

    ## What it does
    Finds methods `sanitize` of MLX modules that store a transposed weight under the name it had, where nothing in the
    method asks for a shape.

    ## PyTorch and MLX
    `sanitize` runs at every load, on PyTorch's checkpoints and on those that were converted and saved with MLX's
    layout. A transposition without a condition turns the latter a second time: loading raises, or, where the sizes
    agree, the layer computes something else.

    ## Example
    ```python
    import mlx.nn as nn


    class Vision(nn.Module):
        def sanitize(self, weights):
            sanitized = {}
            for k, v in weights.items():
                if "patch_embedding.weight" in k:
                    sanitized[k] = v.transpose(0, 2, 3, 1)
                else:
                    sanitized[k] = v
            return sanitized
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Vision(nn.Module):
        def sanitize(self, weights):
            sanitized = {}
            for k, v in weights.items():
                if "patch_embedding.weight" in k and v.shape[-1] != 3:
                    sanitized[k] = v.transpose(0, 2, 3, 1)
                else:
                    sanitized[k] = v
            return sanitized
    ```

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX913"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "`{weight}` is turned at every load, also when the checkpoint has MLX's layout already"

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        if node.name.value != "sanitize":
            return
        code = context.module.functions.get(node)
        if code is None or code.owner is None or not code.owner.is_mlx_module or _asks(node.body):
            return
        for loop in (part for part in tree.walk(node.body) if isinstance(part, cst.For)):
            self._check(loop, context)

    def _check(self, loop: cst.For, context: Context) -> None:
        if not isinstance(loop.target, cst.Tuple) or len(loop.target.elements) != 2:
            return
        key, weight = (bare(element.value, context) for element in loop.target.elements)
        for node in (part for part in tree.walk(loop.body) if isinstance(part, cst.Assign)):
            target, value = node.targets[0].target, node.value
            if not (isinstance(target, cst.Subscript) and isinstance(value, cst.Call)):
                continue
            if bare(target.slice[0], context) == key and _is_turn_of(value, weight, context):
                context.report(self, node, confidence=LIKELY, weight=context.brief(target))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        conv, converted = nn.Conv2d(3, 8, 4, bias=False), mx.zeros((8, 4, 4, 3))
        hazard = raises(lambda: conv.load_weights([("weight", converted.transpose(0, 2, 3, 1))]), ValueError)
        conv.load_weights([("weight", converted)])
        return Evidence(hazard, shown(conv.weight.shape == (8, 4, 4, 3), "left as it is, it is loaded"))


def _asks(body: cst.CSTNode) -> bool:
    """Whether a function asks for a shape, by itself or by a helper, or returns early."""
    for part in tree.walk(body):
        if isinstance(part, cst.Attribute) and part.attr.value == "shape":
            return True
        if isinstance(part, cst.Call):
            name = (tree.dotted(part.func) or "").rpartition(".")[2]
            if "shape" in name or name.startswith(("is_", "_is_", "check", "_check", "any")):
                return True
    returns = [part for part in tree.walk(body) if isinstance(part, cst.Return)]
    return len(returns) > 1


def _is_turn_of(call: cst.Call, weight: str, context: Context) -> bool:
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in _TURNS:
        return False
    if bare(call.func.value, context) != weight:
        return False
    axes = tuple(axis for arg in call.args for axis in axes_of(context.value(arg.value)) or ())
    return axes in ((0, 2, 3, 1), (0, 2, 1), (0, 2, 3, 4, 1), (1, 2, 3, 0), (1, 2, 0), (1, -1), (1, 2), (2, 1))
