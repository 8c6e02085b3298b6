from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.model.values import Function, Instance
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._modules import Store, constructs_module, owns_parameters, stored_on_self


class ModulesInPlainObject(Rule):
    """A module keeps layers in an object that is no module

    ## What it does
    Finds attributes of a module that are objects of a class of the project which holds layers and is not derived from
    `nn.Module`, such as a `ModuleList` written by hand.

    ## PyTorch and MLX
    `parameters()` searches modules, arrays, lists and dicts. Any other object is skipped: the layers in it are never
    trained, saved, loaded or set to evaluation, and nothing is said. PyTorch skips plain objects too, and its
    `nn.ModuleList` is a module; in MLX a list serves.

    ## Example
    ```python
    import mlx.nn as nn


    class ModuleList:
        def __init__(self, layers):
            self.layers = list(layers)


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = ModuleList([nn.Linear(2, 2)])
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = [nn.Linear(2, 2)]
    ```

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX381"
    kind = Kind.SILENT
    severity = Severity.WARNING
    targets = frozenset({cst.Attribute})
    message = "`{attribute}` is a `{type}`, which is no module: the layers in it are left out of `parameters()`"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        made = context.value(node.value)
        if not isinstance(node.value, cst.Call) or not isinstance(made, Instance) or made.code is None:
            return
        if not _is_plain(made.code) or not (_holds_layers(made.code) or _is_given_layers(node.value, context)):
            return
        for name, _ in stored_on_self(node, context):
            context.report(self, node, because=[node.value], attribute=f"self.{name}", type=made.code.name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        class Holder:
            def __init__(self, layers: list[nn.Module]) -> None:
                self.layers = layers

        hidden, public = nn.Module(), nn.Module()
        hidden.blocks = Holder([nn.Linear(1, 1)])
        public.blocks = [nn.Linear(1, 1)]
        return Evidence(
            shown(hidden.parameters() == {}, "parameters() is empty"),
            shown("blocks" in public.parameters(), "in a list they are found"),
        )


def _is_plain(code: ClassCode) -> bool:
    """Whether a class rests on nothing but classes of the project."""
    return all(name == "builtins.object" for name in code.ancestry()[1])


def _is_given_layers(call: cst.Call, context: Context) -> bool:
    """Whether layers are made in the very call that makes the object: nothing else can hold them."""
    return any(owns_parameters(context.value(arg.value)) and constructs_module(arg.value, context) for arg in call.args)


def _holds_layers(code: ClassCode) -> bool:
    """Whether a class makes layers when it is constructed: others are given, and held elsewhere, or loaded later."""
    classes = code.ancestry()[0]
    made = {name for own in classes for name in _made(own)}
    return any(owns_parameters(value) for own in classes for name, value in own.attributes.items() if name in made)


def _made(code: ClassCode) -> Iterator[str]:
    """The attributes for which a class's constructor calls another class."""
    constructor = code.body.get("__init__")
    for node in tree.walk(constructor.code.node.body) if isinstance(constructor, Function) else ():
        if isinstance(node, (cst.Assign, cst.AnnAssign)) and node.value is not None and _calls_class(node.value):
            targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
            yield from (target.attr.value for target in targets if isinstance(target, cst.Attribute))


def _calls_class(node: cst.BaseExpression) -> bool:
    """Whether an expression calls something that is named as classes are."""
    names = (tree.dotted(part.func) for part in tree.walk(node) if isinstance(part, cst.Call))
    return any(name is not None and name.rpartition(".")[2][:1].isupper() for name in names)
