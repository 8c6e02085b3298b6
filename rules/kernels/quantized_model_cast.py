from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import ops
from mlxlint.model.tree import dotted
from mlxlint.model.values import Function
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from ._quantized import CALLS, after, quantized, walked_names

_MAPS = frozenset({"mlx.utils.tree_map", "mlx.utils.tree_map_with_path"})
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
_LAYERS = {"mlx.nn.Linear": "nn.QuantizedLinear", "mlx.nn.Embedding": "nn.QuantizedEmbedding"}


class QuantizedModelCast(Rule):
    """A quantised model is treated as if its weights were floating point

    ## What it does
    Finds, after `nn.quantize` in the same function, a `tree_map` over the parameters that casts them all, and
    `isinstance` with `nn.Linear` or `nn.Embedding` alone of its layers.

    ## PyTorch and MLX
    PyTorch's quantised tensors keep dtype and shape to the outside. In MLX quantised weights are packed into
    `uint32`, with several of them in one number: cast to a float they can no longer be used, their shape is the
    packed one, and the layers are `nn.QuantizedLinear`, which is no `nn.Linear`. `model.set_dtype` leaves packed
    weights alone.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Sequential(nn.Linear(64, 64))
    nn.quantize(model)
    model.update(tree_map(lambda p: p.astype(mx.float16), model.parameters()))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64))
    nn.quantize(model)
    model.set_dtype(mx.float16)
    ```

    ## References
    - [nn.quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.quantize.html)
    """

    code = "MLX807"
    kind = Kind.CRASH
    severity = Severity.WARNING
    calls = CALLS
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        model = quantized(node, context)
        for part in after(node, model, context) if model is not None else ():
            if isinstance(part, cst.Call) and model is not None:
                self._check(part, model, node, context)

    def _check(self, call: cst.Call, model: str, quantised: cst.Call, context: Context) -> None:
        callee, problem, case = context.callee(call), None, "cast"
        if callee in _MAPS and len(call.args) > 1 and _reads(call.args[1].value, model, {"parameters"}):
            if _casts(call.args[0].value, context):
                problem = f"packed weights are no numbers any more when they are cast: use `{model}.set_dtype`"
        elif callee == "builtins.isinstance" and len(call.args) == 2:
            layer = context.qualified(call.args[1].value)
            if layer in _LAYERS and dotted(call.args[0].value) in walked_names(call, model, context):
                problem, case = f"layers of `{model}` are `{_LAYERS[layer]}` by now, which is no `{layer[4:]}`", "class"
        if problem is not None:
            because = [("quantised here", quantised)]
            context.report(
                self, call, because=because, problem=problem, confidence=Confidence.LIKELY, repro={"case": case}
            )

    @staticmethod
    def repro(case: Literal["cast", "class"] = "cast") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        from mlx.utils import tree_map

        x, model = mx.ones((1, 64)), nn.Sequential(nn.Linear(64, 64))
        nn.quantize(model)
        if case == "class":
            found = [isinstance(model.layers[0], kind) for kind in (nn.Linear, nn.QuantizedLinear)]
            name = type(model.layers[0]).__name__
            return Evidence(shown(not found[0], f"{name} is no nn.Linear"), shown(found[1], "it is nn.QuantizedLinear"))
        model.set_dtype(mx.float16)
        right = model(x.astype(mx.float16)).shape
        model.update(tree_map(lambda p: p.astype(mx.float16), model.parameters()))
        return Evidence(raises(lambda: model(x), ValueError), shown(right == (1, 64), f"after set_dtype: {right}"))


def _reads(node: cst.BaseExpression, model: str, methods: set[str]) -> bool:
    """Whether an expression is a call of one of the model's methods."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    return node.func.attr.value in methods and dotted(node.func.value) == model


def _casts(function: cst.BaseExpression, context: Context) -> bool:
    """Whether a function does nothing but cast its argument to a floating point type."""
    value = context.value(function)
    body = value.code.node.body if isinstance(value, Function) and isinstance(value.code.node, cst.Lambda) else None
    if not isinstance(body, cst.Call) or not isinstance(body.func, cst.Attribute) or len(body.args) != 1:
        return False
    return body.func.attr.value == "astype" and ops.dtype_of(context.value(body.args[0].value)) in _FLOATS
