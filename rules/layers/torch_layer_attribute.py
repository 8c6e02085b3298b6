from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Instance, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

# By layer: PyTorch's attribute and where the same is found in MLX.
_LINEAR = {"in_features": "weight.shape[1]", "out_features": "weight.shape[0]"}
_CONV = {
    "in_channels": "weight.shape[-1] * groups",
    "out_channels": "weight.shape[0]",
    "kernel_size": "weight.shape[1:-1]",
}
_ATTRIBUTES: dict[str, dict[str, str]] = {
    "Linear": _LINEAR,
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "Conv3d": _CONV,
    "Embedding": {
        "num_embeddings": "weight.shape[0]",
        "embedding_dim": "weight.shape[1]",
        "padding_idx": "no attribute",
    },
    "LayerNorm": {"normalized_shape": "weight.shape"},
    "RMSNorm": {"normalized_shape": "weight.shape"},
    "BatchNorm": {"num_batches_tracked": "no attribute"},
    "GroupNorm": {"num_channels": "dims"},
    "MultiHeadAttention": {
        "embed_dim": "out_proj.weight.shape[0]",
        "in_proj_weight": "query_proj.weight",
    },
}
_NAMES = {"bias", "from_pretrained", *(name for attributes in _ATTRIBUTES.values() for name in attributes)}
_BIAS_AT = {"Linear": 2, "Conv1d": 7, "Conv2d": 7, "Conv3d": 6, "LayerNorm": 3}


class TorchLayerAttribute(Rule):
    """An attribute is read that PyTorch's layer has and MLX's has not

    ## What it does
    Finds `in_features`, `out_channels`, `kernel_size`, `embedding_dim`, `normalized_shape` and the like read from MLX's
    layers, `bias` of layers made with `bias=False`, and `nn.Embedding.from_pretrained`.

    ## PyTorch and MLX
    MLX's layers keep their arrays and the few settings that they need, and not their sizes: these are in
    `weight.shape`. A layer without a bias has no attribute `bias`, where PyTorch's has `None`.

    ## Example
    ```python
    import mlx.nn as nn

    layer = nn.Linear(3, 4)
    dims = layer.in_features
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    layer = nn.Linear(3, 4)
    dims = layer.weight.shape[1]
    ```

    ## References
    - [Linear](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Linear.html)
    """

    code = "MLX379"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "MLX's `nn.{layer}` has no attribute `{name}`: {instead}"
    attributes = frozenset(_NAMES)

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        name = node.attr.value
        layer = context.value(node.value)
        if name == "from_pretrained" and context.qualified(node.value) == "mlx.nn.Embedding":
            context.report(
                self, node.attr, layer="Embedding", name=name, instead="make one and store its `weight`",
                repro={"layer": "Embedding", "name": name},
            )  # fmt: skip
            return
        if not isinstance(layer, Instance) or layer.code is not None or not layer.type.startswith("mlx.nn."):
            return
        kind = layer.type[7:]
        found = _ATTRIBUTES.get(kind, {}).get(name)
        if found is not None:
            instead = f"see `{found}`" if found != "no attribute" else "there is nothing of the kind"
        elif name == "bias" and _is_without_bias(layer, kind) and not _may_be_set(context):
            instead = "the layer was made with `bias=False`; ask `'bias' in layer`"
        else:
            return
        context.report(
            self, node.attr, because=[node.value], layer=kind, name=name, instead=instead,
            repro={"layer": kind if name == "bias" else "Linear", "name": name if name == "bias" else "in_features"},
        )  # fmt: skip

    @staticmethod
    def repro(layer: str = "Linear", name: str = "in_features") -> Evidence:
        import mlx.nn as nn

        arguments = {"Linear": (3, 4), "LayerNorm": (3,), "Embedding": (3, 4)}.get(layer, (3, 4, 3))
        made = getattr(nn, layer)(*arguments, **({"bias": False} if name == "bias" else {}))
        return Evidence(
            raises(lambda: getattr(made, name), AttributeError), shown("weight" in made, f"weight {made.weight.shape}")
        )


def _is_without_bias(layer: Instance, kind: str) -> bool:
    index = _BIAS_AT.get(kind)
    if index is None:
        return False
    given = layer.keywords.get("bias", layer.args[index] if index < len(layer.args) else Const(True))
    return constant(given, bool) is False


def _may_be_set(context: Context) -> bool:
    """Whether the file stores a bias somewhere, or asks for it first."""
    return ".bias =" in context.module.text or "hasattr(" in context.module.text or "getattr(" in context.module.text
