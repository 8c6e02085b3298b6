from __future__ import annotations

from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name, Tree
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

_SAVERS = frozenset({"mlx.core.save_safetensors", "mlx.core.savez", "mlx.core.savez_compressed", "mlx.core.save_gguf"})


class NestedParametersSaved(Rule):
    """The nested `parameters()` of a model are saved, where a flat dict is needed

    ## What it does
    Finds `mx.save_safetensors(path, model.parameters())` and `mx.savez(path, **model.parameters())`.

    ## PyTorch and MLX
    `state_dict()` is flat. MLX's `parameters()` is a tree of dicts and lists, and the functions that save arrays take
    names and arrays only: a model with submodules raises `std::bad_cast`. `save_weights` flattens, and so does
    `mlx.utils.tree_flatten`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    mx.save_safetensors("model.safetensors", model.parameters())
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.save_weights("model.safetensors")
    ```

    ## Fix safety
    Where `tree_flatten` is imported, the fix flattens the tree. It is safe: the code raises before it.

    ## References
    - [Module.save_weights](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.save_weights.html)
    """

    code = "MLX902"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset(name.rpartition(".")[2] for name in _SAVERS)
    message = "`{tree}` is nested, and `mx.{function}` takes a flat dict of arrays"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _SAVERS:
            return
        for arg in node.args[1:]:
            value = context.value(arg.value)
            if isinstance(value, Tree) and value.kind == "parameters" and (arg.star == "**" or arg is node.args[1]):
                fix = _flattened(arg.value, context)
                context.report(
                    self, node, because=[arg.value], fix=fix, tree=context.brief(arg.value), function=callee[9:]
                )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Sequential(nn.Linear(2, 2))
        hazard = raises(lambda: mx.save_safetensors("nested.safetensors", model.parameters()))
        model.save_weights("flat.safetensors")
        loaded: Any = mx.load("flat.safetensors")
        names = sorted(loaded)
        return Evidence(hazard, shown(names == ["layers.0.bias", "layers.0.weight"], f"save_weights: {names}"))


def _flattened(node: cst.BaseExpression, context: Context) -> NodeFix | None:
    flatten = next(
        (
            n
            for n, v in context.module.env.items()
            if isinstance(v, Name) and v.name == "mlx.utils.tree_flatten" and "." not in n
        ),
        None,
    )
    if flatten is None:
        return None
    return NodeFix("Flatten the tree", [Replace(node, f"dict({flatten}({context.text(node)}))")], Applicability.SAFE)
