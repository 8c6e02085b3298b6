from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._quantized import CALLS, after, quantized, walked_names

_SIZES = frozenset({"shape", "size"})


class PackedWeightShape(Rule):
    """The shape of packed weights is taken for that of the layer

    ## What it does
    Finds, below `nn.quantize(model)` in the same function, `weight.shape` and `weight.size` of its layers, and the sum
    of the sizes of its parameters.

    ## PyTorch and MLX
    PyTorch's quantised tensors keep the shape of what they stand for. MLX packs several weights into one `uint32`: with
    4 bits the last axis is an eighth as long, and scales and biases count as parameters of their own.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 32))
    nn.quantize(model)
    inputs = model.layers[0].weight.shape[1]
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 32))
    inputs = model.layers[0].weight.shape[1]
    nn.quantize(model)
    ```

    ## References
    - [nn.QuantizedLinear](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.QuantizedLinear.html)
    """

    code = "MLX814"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = CALLS
    message = "`{what}` is that of packed weights: `{model}` is quantised by now"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        model = quantized(node, context)
        for part in after(node, model, context) if model is not None else ():
            if isinstance(part, cst.Attribute) and part.attr.value in _SIZES and model is not None:
                case = _of_weight(part, model, context)
                if case is not None:
                    context.report(
                        self, part, because=[("quantised here", node)], what=context.brief(part), model=model,
                        confidence=Confidence.LIKELY, repro={"case": case},
                    )  # fmt: skip

    @staticmethod
    def repro(case: Literal["shape", "count"] = "shape") -> Evidence:
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        model = nn.Sequential(nn.Linear(64, 32, bias=False))
        layer = model.layers[0]
        before = layer.weight.shape
        count = sum(p.size for _, p in tree_flatten(model.parameters()))
        nn.quantize(model)
        packed = model.layers[0]
        if case == "count":
            found = sum(p.size for _, p in tree_flatten(model.parameters()))
            return Evidence(shown(found != count, f"{found} parameters"), shown(count == 64 * 32, f"before: {count}"))
        inputs = packed.scales.shape[-1] * packed.group_size
        return Evidence(
            shown(packed.weight.shape != before, f"{packed.weight.shape}, before: {before}"),
            shown(inputs == 64, f"scales.shape[-1] * group_size: {inputs}"),
        )


def _of_weight(node: cst.Attribute, model: str, context: Context) -> str | None:
    """Whether a size is one of the model's weights, or of each of its parameters."""
    owner = node.value
    names = walked_names(node, model, context)
    if isinstance(owner, cst.Attribute) and owner.attr.value == "weight":
        root: cst.BaseExpression = owner.value
        while isinstance(root, (cst.Attribute, cst.Subscript)) and dotted(root) != model:
            root = root.value
        return "shape" if dotted(root) == model or dotted(root) in names else None
    return "count" if node.attr.value == "size" and dotted(owner) in names else None
