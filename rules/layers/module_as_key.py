from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._modules import is_module

_CACHES = frozenset({"functools.lru_cache", "functools.cache"})


class ModuleAsKey(Rule):
    """A module is put in a set, made a dict's key or cached upon, and cannot be hashed

    ## What it does
    Finds sets of MLX modules, dicts with modules as keys, `hash(layer)`, and `functools.lru_cache` and `cache` on
    methods of a module.

    ## PyTorch and MLX
    PyTorch's modules are hashed by identity. MLX's are dicts, which cannot be hashed: `TypeError: unhashable type`.
    Use `id(layer)`, or names from `named_modules()`.

    ## Example
    ```python
    import mlx.nn as nn

    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    rates = {first: 0.1, second: 0.01}
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    rates = {id(first): 0.1, id(second): 0.01}
    ```

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX356"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"hash"})
    message = "`{module}` is an MLX module, which cannot be hashed: {what}"
    functions = frozenset({"@"})

    def visit_Dict(self, node: cst.Dict, context: Context) -> None:
        for element in node.elements:
            if isinstance(element, cst.DictElement):
                self._check(element.key, "it is no key of a dict", context)

    def visit_DictComp(self, node: cst.DictComp, context: Context) -> None:
        self._check(node.key, "it is no key of a dict", context)

    def visit_Set(self, node: cst.Set, context: Context) -> None:
        for element in node.elements:
            self._check(element.value, "it is no member of a set", context)

    def visit_SetComp(self, node: cst.SetComp, context: Context) -> None:
        self._check(node.elt, "it is no member of a set", context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) == 1 and context.callee(node) == "builtins.hash":
            self._check(node.args[0].value, "use `id`", context)

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        owner = None if code is None else code.owner
        if code is None or owner is None or not owner.is_mlx_module or code.is_static:
            return
        for decorator in node.decorators:
            written = decorator.decorator
            function = written.func if isinstance(written, cst.Call) else written
            if context.qualified(function) in _CACHES:
                context.report(self, decorator, module=owner.name, what="a cache of its method needs `self` as a key")

    def _check(self, node: cst.BaseExpression, what: str, context: Context) -> None:
        if is_module(context.value(node)):
            context.report(self, node, because=[node], module=context.brief(node), what=what)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        layer = nn.Linear(2, 2)
        return Evidence(raises(lambda: {layer: 1}, TypeError), shown({id(layer): 1} != {}, "id(layer) is a key"))
