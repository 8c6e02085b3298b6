from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs, shown

from .._shared import with_keyword

_ENCODER = "normalise before each block; PyTorch normalises after it"


@dataclass(frozen=True)
class Default:
    """One argument that PyTorch and MLX set differently when it is left out."""

    position: int
    name: str
    mlx: str
    torch: str
    effect: str
    in_ports: bool = False  # a note, and in ports alone: most models have a layer of their own under that name


def _transformer(norm_first: int, mlp_dims: int) -> tuple[Default, ...]:
    """The defaults of the transformer layers, which differ in their places alone."""
    return (
        Default(norm_first, "norm_first", "True", "False", _ENCODER),
        Default(mlp_dims, "mlp_dims", "None", "2048", "the MLP has `4 * dims` units", in_ports=True),
        Default(mlp_dims + 1, "dropout", "0.0", "0.1", "nothing is dropped in training", in_ports=True),
    )


_DEFAULTS: dict[str, tuple[Default, ...]] = {
    "MultiHeadAttention": (Default(7, "bias", "False", "True", "the projections have no biases"),),
    "TransformerEncoderLayer": _transformer(norm_first=5, mlp_dims=2),
    "TransformerDecoderLayer": _transformer(norm_first=5, mlp_dims=2),
    "TransformerEncoder": _transformer(norm_first=6, mlp_dims=3),
    "TransformerDecoder": _transformer(norm_first=6, mlp_dims=3),
    "Transformer": _transformer(norm_first=9, mlp_dims=4),
    "RMSNorm": (Default(1, "eps", "1e-5", "1.1920929e-07", "small inputs come out smaller", in_ports=True),),
}


class DifferingDefault(Rule):
    """A layer is made with a default that differs from PyTorch's

    ## What it does
    Finds layers of `mlx.nn` that are made without an argument for which MLX has another default than the PyTorch layer
    of that name. It is a warning where the file shows that PyTorch's behaviour is meant, and a note elsewhere; the
    epsilon of `nn.RMSNorm`, and sizes and dropout of the transformer layers, are notes in ports alone.

    ## PyTorch and MLX
    `nn.MultiHeadAttention` has no biases unless `bias=True` is given; PyTorch's has. The transformer layers normalise
    before each block (`norm_first=True`); PyTorch's normalise after it, have 2048 units in the MLP and a dropout of
    0.1. `nn.RMSNorm` adds 1e-5; PyTorch's adds the epsilon of the dtype, 1.2e-7. The model runs, and with weights from
    PyTorch it computes something else.

    ## Example
    ```python
    # Port of a PyTorch encoder.
    import mlx.nn as nn

    attention = nn.MultiHeadAttention(64, 4)
    ```

    ## Use instead
    ```python
    # Port of a PyTorch encoder.
    import mlx.nn as nn

    attention = nn.MultiHeadAttention(64, 4, bias=True)
    ```

    ## Fix safety
    The fix states PyTorch's default. It is unsafe: weights saved with the layer as it is have other names then.

    ## References
    - [MultiHeadAttention](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.MultiHeadAttention.html)
    - [RMSNorm](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.RMSNorm.html)
    - [Transformer](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Transformer.html)
    """

    code = "MLX344"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset(_DEFAULTS)
    message = "`nn.{layer}` has `{argument}={mlx}` by default, where PyTorch has `{argument}={torch}`: {effect}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.nn."):
            return
        layer = callee[7:]
        for default in _DEFAULTS.get(layer, ()):
            if (default.in_ports and context.port is None) or context.arguments(node).starred:
                continue
            if context.argument(node, default.position, default.name) is None:
                if _is_set(node, default.name, context):
                    continue
                report = partial(context.report, severity=Severity.INFO) if default.in_ports else context.report_default
                report(
                    self, node, layer=layer, argument=default.name, mlx=default.mlx,
                    torch=default.torch, effect=default.effect, fix=_stated(node, default, context),
                    repro={"layer": "TransformerEncoderLayer" if layer.startswith("Transformer") else layer},
                )  # fmt: skip
                return  # the next is told of when this is stated

    @staticmethod
    def repro(
        layer: Literal["MultiHeadAttention", "TransformerEncoderLayer", "RMSNorm"] = "MultiHeadAttention",
    ) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        if layer == "RMSNorm":
            x = mx.array([1e-3, -1e-3])
            given = nn.RMSNorm(2, eps=1.1920929e-07)(x)
            return Evidence(differs(nn.RMSNorm(2)(x), [0.945, -0.945], 1e-2), agrees(given, [0.945, -0.945], 1e-2))
        if layer == "MultiHeadAttention":
            plain, stated = nn.MultiHeadAttention(8, 2), nn.MultiHeadAttention(8, 2, bias=True)
            return Evidence(
                shown("bias" not in plain.query_proj, "the projections have no bias"),
                shown("bias" in stated.query_proj, "they have one"),
            )
        return Evidence(
            shown(nn.TransformerEncoderLayer(8, 2).norm_first is True, "norm_first is True"),
            shown(nn.TransformerEncoderLayer(8, 2, norm_first=False).norm_first is False, "norm_first is False"),
        )


def _is_set(node: cst.Call, name: str, context: Context) -> bool:
    """Whether the layer that a call makes gets an attribute of that name: ``self.attention.out_proj.bias = ...``."""
    made = context.parent(node)
    path = dotted(made.targets[0].target) if isinstance(made, cst.Assign) else None
    code = context.enclosing_function(node)
    if path is None or code is None:
        return False
    targets = (target.target for each in context.nodes(code.node.body, cst.Assign) for target in each.targets)
    set_there = [found for target in targets if (found := dotted(target)) is not None]
    return any(each.startswith(path + ".") and each.endswith("." + name) for each in set_there)


def _stated(node: cst.Call, default: Default, context: Context) -> NodeFix:
    edit = with_keyword(node, f"{default.name}={default.torch}", context)
    return NodeFix("State PyTorch's default", [edit], Applicability.UNSAFE)
