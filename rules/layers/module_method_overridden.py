from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

# What MLX itself calls on every module, and what for.
_CALLED = {
    "update": "the optimizer and `load_weights` store arrays with it",
    "items": "`parameters()` finds arrays and layers with it",
    "get": "attributes are read with it",
    "children": "`modules()`, `train` and `freeze` find layers with it",
    "__getitem__": "`update` and `load_weights` read submodules with it",
    "__setitem__": "attributes are stored with it",
    "__contains__": "`update` and `load_weights` look up names with it",
}


class ModuleMethodOverridden(Rule):
    """A module defines a method that MLX's modules, being dicts, use themselves

    ## What it does
    Finds subclasses of `nn.Module` that define `update`, `items`, `get`, `children`, `__getitem__`, `__setitem__` or
    `__contains__` without calling the inherited method.

    ## PyTorch and MLX
    In PyTorch these names are free. An MLX module is a dict, and training, saving and loading go through its methods: a
    module whose `update` does something else is never trained; one with its own `items` has no parameters; one with
    its own `__getitem__`, as a hand-made `ModuleList` has, cannot be loaded or updated. Keep layers in a plain list.

    ## Example
    ```python
    import mlx.nn as nn


    class ModuleList(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = list(layers)

        def __getitem__(self, index):
            return self.layers[index]
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Stack(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.layers = [nn.Linear(dims, dims) for _ in range(3)]
    ```

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX358"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "`{name}` of an MLX module is overridden: {why}"
    functions = frozenset(_CALLED)

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        name = node.name.value
        code = context.module.functions.get(node)
        owner = None if code is None else code.owner
        if owner is None or not owner.is_mlx_module or _calls_inherited(node, name, context):
            return
        if name == "__getitem__" and _finds_by_name(node, context):
            return
        context.report(self, node.name, name=name, why=_CALLED[name], repro={"name": name})

    @staticmethod
    def repro(name: str = "__getitem__") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        class Plain(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.layers, self.scale = [nn.Linear(2, 2)], mx.ones(2)

        class Own(Plain):
            pass

        def works(kind: type[Plain]) -> bool:
            model = kind()
            model.load_weights([("scale", mx.zeros(2))], strict=False)
            whole = len(tree_flatten(model.parameters())) == 3 and len(model.modules()) == 2
            return whole and model.scale.sum().item() == 0

        setattr(Own, name, lambda self, *args, **kwargs: [])
        failed = raises(lambda: works(Own))
        hazard = failed if failed.holds else shown(not works(Own), "parameters are lost or not loaded")
        return Evidence(hazard, shown(works(Plain), "without the method all are found and loaded"))


def _calls_inherited(node: cst.FunctionDef, name: str, context: Context) -> bool:
    """Whether a method calls the inherited one: of ``super()``, or of a class, given the object."""
    receiver = node.params.params[0].name.value if node.params.params else None
    for call in context.nodes(node.body, cst.Call):
        func = call.func
        if not isinstance(func, cst.Attribute) or func.attr.value != name:
            continue
        if isinstance(func.value, cst.Call) and dotted(func.value.func) == "super":
            return True
        if call.args and dotted(call.args[0].value) == receiver and dotted(func.value) not in (None, receiver):
            return True
    return False


def _finds_by_name(node: cst.FunctionDef, context: Context) -> bool:
    """Whether a method asks the module itself for an attribute, as the inherited one does."""
    receiver = node.params.params[0].name.value if node.params.params else None
    return any(
        dotted(call.func) == "getattr" and call.args and dotted(call.args[0].value) == receiver
        for call in context.nodes(node.body, cst.Call)
    )
