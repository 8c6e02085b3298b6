from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import Array, Sequence, Value, as_array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._modules import Store, constructs_module, is_module, stored_on_self

_FILLED = ("mlx.core.zeros", "mlx.core.ones", "mlx.core.full", "mlx.core.random.")


class ModulesInTuple(Rule):
    """Layers or weights are kept in a tuple or set, where MLX does not look

    ## What it does
    Finds `self.name = (…)`, `tuple(…)`, `set(…)` or a generator in a module's `__init__` that holds layers, or freshly
    initialised arrays.

    ## PyTorch and MLX
    A module's parameters are what stands in its attributes, lists and dicts. A tuple is an ordinary attribute to MLX,
    as it is to PyTorch, where `nn.ModuleList` would be used: what it holds is not in `parameters()`, is neither loaded
    nor trained nor saved, and is not reached by `train()` and `eval()`. Nothing raises. In MLX a plain list is enough.

    ## Example
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = tuple(nn.Linear(4, 4) for _ in range(3))
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = [nn.Linear(4, 4) for _ in range(3)]
    ```

    ## Fix safety
    The fix writes a list. Where the order of parameter names in an existing checkpoint, or hashing of the tuple,
    matters, it changes behaviour; it is therefore unsafe.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX303"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = (
        "`{attribute}` keeps {what} in a {kind}, which `parameters()` does not enter: they are never loaded, "
        "trained or saved"
    )
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        for name, _ in stored_on_self(node, context):
            held = context.value(node.value)
            if node.value is None or name.startswith("_") or not isinstance(held, Sequence) or held.kind == "list":
                continue
            layers = any(is_module(item) for item in _items(held)) and constructs_module(node.value, context)
            if layers or _holds_weights(held, node.value, context):
                context.report(
                    self, node, because=[node.value], fix=_as_list(node.value, context), attribute=f"self.{name}",
                    what="layers" if layers else "weights", kind=held.kind,
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        hidden, public = nn.Module(), nn.Module()
        hidden.blocks = (nn.Linear(2, 2), nn.Linear(2, 2))
        public.blocks = [nn.Linear(2, 2), nn.Linear(2, 2)]
        return Evidence(
            shown(
                len(hidden.trainable_parameters().get("blocks", ())) == 0, "a tuple's layers are not in parameters()"
            ),
            shown(len(public.trainable_parameters()["blocks"]) == 2, "a list's layers are"),
        )


def _items(held: Sequence) -> tuple[Value, ...]:
    return held.items if held.items is not None else (held.element,)


def _holds_weights(held: Sequence, node: cst.BaseExpression, context: Context) -> bool:
    """Whether every element is an array, and one comes straight from an initialiser."""
    if not held.items or not all(isinstance(as_array(item), Array) for item in held.items):
        return False
    made = [context.callee(n) or "" for n in tree.walk(node) if isinstance(n, cst.Call)]
    return any(name.startswith(_FILLED) for name in made)


def _as_list(node: cst.BaseExpression, context: Context) -> NodeFix | None:
    if isinstance(node, cst.Tuple) and node.elements:
        inner = ", ".join(context.text(element.value) for element in node.elements)
        return NodeFix("Make it a list", [Replace(node, f"[{inner}]")], Applicability.UNSAFE)
    if isinstance(node, cst.Call) and context.callee(node) in ("builtins.tuple", "builtins.set"):
        return NodeFix("Make it a list", [Replace(node.func, "list")], Applicability.UNSAFE)
    return None
