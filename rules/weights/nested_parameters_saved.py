from __future__ import annotations

import re
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import LIKELY, UNKNOWN, Name, Tree
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

_SAVERS = frozenset(
    f"mlx.core.{name}" for name in ("save", "save_safetensors", "savez", "savez_compressed", "save_gguf")
)
_HOLDERS = re.compile(r"model|optim|net$|module|layer", re.IGNORECASE)


class NestedParametersSaved(Rule):
    """The nested `parameters()` of a model are saved, where a flat dict is needed

    ## What it does
    Finds `mx.save_safetensors(path, model.parameters())`, `mx.savez(path, **model.parameters())` and the like, also of
    `model.state` and `optimizer.state`.

    ## PyTorch and MLX
    `state_dict()` is flat. MLX's `parameters()` is a tree of dicts and lists, and the functions that save arrays take
    names and arrays only: a model with submodules raises `std::bad_cast`; `mx.save` takes one array. `save_weights`
    flattens, and so does `mlx.utils.tree_flatten`.

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
    message = "`{tree}` is nested, and `mx.{function}` takes {taken}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _SAVERS:
            return
        for arg in node.args[1:]:
            value = context.value(arg.value)
            known = isinstance(value, Tree) and value.kind in ("parameters", "gradients", "state")
            if (known or _is_tree_by_name(arg.value, context)) and (arg.star == "**" or arg is node.args[1]):
                one = callee == "mlx.core.save"
                context.report(
                    self, node, because=[arg.value], confidence=None if known else LIKELY,
                    severity=None if known else Severity.WARNING, fix=None if one else _flattened(arg.value, context),
                    tree=context.brief(arg.value), function=callee[9:],
                    taken="one array" if one else "a flat dict of arrays", repro={"function": callee[9:]},
                )  # fmt: skip

    @staticmethod
    def repro(function: str = "save_safetensors") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Sequential(nn.Linear(2, 2))
        save, tree = getattr(mx, function), model.parameters()
        hazard = raises(lambda: save("nested", **tree) if function.startswith("savez") else save("nested", tree))
        model.save_weights("flat.safetensors")
        loaded: Any = mx.load("flat.safetensors")
        names = sorted(loaded)
        return Evidence(hazard, shown(names == ["layers.0.bias", "layers.0.weight"], f"save_weights: {names}"))


def _is_tree_by_name(node: cst.BaseExpression, context: Context) -> bool:
    """Whether something of unknown type is called as a model's parameters or the state of a model or optimizer are."""
    part = node.func if isinstance(node, cst.Call) and not node.args else node
    if context.value(node) is not UNKNOWN or not isinstance(part, cst.Attribute):
        return False
    if isinstance(node, cst.Call):
        return part.attr.value in ("parameters", "trainable_parameters")
    holder = (dotted(part.value) or "").rpartition(".")[2]
    return part.attr.value == "state" and bool(_HOLDERS.search(holder))


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
