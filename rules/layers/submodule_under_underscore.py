from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import ClassCode
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, shown

from ._modules import Store, constructs_module, owns_parameters, renamed, stored_on_self


class SubmoduleUnderUnderscore(Rule):
    """A layer is stored under a name with a leading underscore, which hides its parameters

    ## What it does
    Finds `self._name = …` in a module's `__init__` where the value is a layer with parameters (or a list or dict of
    such layers) that is made there.

    ## PyTorch and MLX
    PyTorch registers every module that is assigned to an attribute. MLX leaves out attributes whose name begins with an
    underscore from `parameters()`: what is in such a layer is neither loaded, nor trained, nor saved, nor cast by
    `set_dtype`. Nothing raises; `train()`, `eval()` and `nn.quantize` do reach it.

    ## Example
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self._proj = nn.Linear(4, 4)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = nn.Linear(4, 4)
    ```

    ## Fix safety
    The fix takes the underscore away, wherever the class uses the name. It is unsafe: the layers may be hidden on
    purpose. There is none where this file uses the name outside the class.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX302"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = (
        "`{attribute}` begins with an underscore: its layers are left out of `parameters()`, and are never "
        "loaded, trained or saved"
    )
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        for name, owner in stored_on_self(node, context):
            if not name.startswith("_") or node.value is None or not owns_parameters(context.value(node.value)):
                continue
            if constructs_module(node.value, context) and not _is_loaded_apart(name, context):
                fix = _public(name, owner, context)
                context.report(self, node, because=[node.value], attribute=f"self.{name}", fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        hidden, public = nn.Module(), nn.Module()
        hidden._proj = nn.Linear(2, 2)
        public.proj = nn.Linear(2, 2)
        return Evidence(
            shown(hidden.parameters() == {}, f"parameters(): {list(hidden.parameters())}"),
            shown("proj" in public.parameters(), f"parameters(): {list(public.parameters())}"),
        )


def _public(name: str, owner: ClassCode, context: Context) -> NodeFix | None:
    edits = renamed(name, name.lstrip("_"), owner, context) if name.strip("_") else None
    return NodeFix("Make it part of the parameters", edits, Applicability.UNSAFE) if edits else None


def _is_loaded_apart(name: str, context: Context) -> bool:
    """Whether the file gives the hidden layers weights of their own."""
    methods = (call.func for call in context.module.calls if isinstance(call.func, cst.Attribute))
    return any(
        method.attr.value in ("load_weights", "update") and (dotted(method.value) or "").endswith(f".{name}")
        for method in methods
    )
