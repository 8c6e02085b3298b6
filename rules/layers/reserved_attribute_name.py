from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Dict, Instance, Sequence, Value, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._modules import Store, is_module

_PROPERTIES = frozenset({"training", "state"})
_METHODS = frozenset(
    """keys values items get pop popitem update copy clear setdefault fromkeys parameters trainable_parameters children
    modules named_modules leaf_modules apply apply_to_modules train eval freeze unfreeze load_weights save_weights
    set_dtype is_module update_modules filter_and_map""".split()
)


class ReservedAttributeName(Rule):
    """An attribute of a module is given a name that modules and dicts use themselves

    ## What it does
    Finds arrays, layers, lists and dicts stored in an MLX module as `keys`, `values`, `items`, `update`, `copy`,
    `state` and the like, and assignments to `training`.

    ## PyTorch and MLX
    A PyTorch module is a plain object, and `self.keys = nn.Linear(…)` is usual in attention. An MLX module is a dict:
    `keys`, `values` and `items` are its methods, and storing an array or a layer under such a name raises
    `AttributeError`. `training` is a read-only property; `train()` and `eval()` set it.

    ## Example
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.keys = nn.Linear(dims, dims)


    attention = Attention(4)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.key_proj = nn.Linear(dims, dims)


    attention = Attention(4)
    ```

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX354"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{name}` is {what} of every MLX module: this assignment raises"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            self._check(target.target, node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        if node.value is not None:
            self._check(node.target, node, context)

    def _check(self, target: cst.BaseAssignTargetExpression, node: Store, context: Context) -> None:
        if not isinstance(target, cst.Attribute) or target.attr.value not in _METHODS | _PROPERTIES:
            return
        name, owner = target.attr.value, context.value(target.value)
        if not is_module(owner) or _is_defined(name, owner):
            return
        if name in _PROPERTIES or _is_kept(context.value(node.value)):
            what = "a read-only property" if name in _PROPERTIES else "a method"
            context.report(self, node, because=[target.value], name=name, what=what, repro={"name": name})

    @staticmethod
    def repro(name: str = "keys") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 2)
        hazard = raises(lambda: setattr(layer, name, mx.zeros(2)), AttributeError)
        layer.other = mx.zeros(2)
        return Evidence(hazard, shown("other" in layer, "another name is stored"))


def _is_kept(value: Value) -> bool:
    """Whether a module keeps a value in itself, as a dict, rather than as a plain attribute."""
    return all(
        isinstance(member, (Array, Dict)) or is_module(member) or
        (isinstance(member, Sequence) and member.kind in ("list", "tuple"))
        for member in members(value)
    )  # fmt: skip


def _is_defined(name: str, owner: Value) -> bool:
    """Whether the project's own class says what the name means."""
    code = owner.code if isinstance(owner, Instance) else None
    return code is not None and any(name in c.body or name in c.fields for c in code.ancestry()[0])
