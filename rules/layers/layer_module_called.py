from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Module
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

# PyTorch's functions whose names are those of files in `mlx/nn/layers`, and what does their work in MLX.
_INSTEAD = {
    "dropout": "a layer, `nn.Dropout(p)`",
    "linear": "`x @ weight.T + bias`",
    "embedding": "`weight[ids]`",
    "upsample": "a layer, `nn.Upsample(scale_factor)`",
}


class LayerModuleCalled(Rule):
    """`nn.dropout` and the like are called, which are Python modules

    ## What it does
    Finds calls of `nn.dropout`, `nn.linear`, `nn.embedding`, `nn.upsample` and other names of `mlx.nn` that are files.

    ## PyTorch and MLX
    `F.dropout(x, p)` and `F.linear(x, w, b)` are functions. In MLX `nn.dropout` is the file `dropout.py`: the name
    exists, and calling it raises `TypeError: 'module' object is not callable`. Of activations and losses there
    are functions; dropout and upsampling are layers, the rest is written with `mlx.core`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = nn.dropout(mx.ones((2, 3)), 0.1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    x = nn.Dropout(0.1)(mx.ones((2, 3)))
    ```

    ## Fix safety
    The fix writes `x @ weight.T + bias` for `linear` and `weight[ids]` for `embedding`. It is safe: the code raises
    before it.

    ## References
    - [Layers](https://ml-explore.github.io/mlx/build/html/python/nn/layers.html)
    """

    code = "MLX383"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`nn.{name}` is a Python module and cannot be called{instead}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if not isinstance(called, Module) or not called.name.startswith("mlx.nn."):
            return
        name = called.name.rpartition(".")[2]
        instead = f": there is {_INSTEAD[name]}" if name in _INSTEAD else ""
        context.report(self, node, name=name, instead=instead, fix=_written(name, node, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.ones((2,))
        hazard = raises(lambda: nn.dropout(x, 0.1), TypeError, text="not callable")
        return Evidence(hazard, shown(nn.Dropout(0.1)(x).shape == (2,), "the layer can be called"))


def _written(name: str, node: cst.Call, context: Context) -> NodeFix | None:
    """``linear`` and ``embedding`` written with operators, their arguments given by position."""
    plain = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
    if len(plain) != len(node.args) or not all(isinstance(arg, (cst.Name, cst.Attribute)) for arg in plain):
        return None
    texts = [context.text(arg) for arg in plain]
    if name == "embedding" and len(texts) == 2:
        return NodeFix("Index the table", [Replace(node, f"{texts[1]}[{texts[0]}]")], Applicability.SAFE)
    if name == "linear" and len(texts) in (2, 3):
        text = " + ".join([f"{texts[0]} @ {texts[1]}.T", *texts[2:]])
        return NodeFix("Write the product", [Replace(node, f"({text})")], Applicability.SAFE)
    return None
