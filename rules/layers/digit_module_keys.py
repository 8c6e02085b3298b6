from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant, scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._modules import Store, constructs_module, stored_on_self


class DigitModuleKeys(Rule):
    """A dict of modules has digits for keys, and cannot be loaded

    ## What it does
    Finds attributes of a module that are dicts of modules whose keys are strings of digits: `{"0": …}`,
    `{str(i): … for i in range(n)}`, `self.heads[str(i)] = …`.

    ## PyTorch and MLX
    `nn.ModuleDict` takes any string. In MLX a name such as `heads.0.weight` says that `heads` is a list:
    `tree_unflatten` makes one, and `load_weights` of the module's own parameters raises `KeyError: 0`.

    ## Example
    ```python
    import mlx.nn as nn


    class Heads(nn.Module):
        def __init__(self, count):
            super().__init__()
            self.heads = {str(i): nn.Linear(4, 2) for i in range(count)}
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Heads(nn.Module):
        def __init__(self, count):
            super().__init__()
            self.heads = [nn.Linear(4, 2) for _ in range(count)]
    ```

    Or keys that begin with a letter: `{f"head{i}": … }`.

    ## References
    - [tree_unflatten](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_unflatten.html)
    """

    code = "MLX380"
    kind = Kind.CRASH
    severity = Severity.WARNING
    targets = frozenset({cst.Attribute, cst.Subscript})
    message = "`{attribute}` has digits for keys, which name the items of a list: `load_weights` raises `KeyError`"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        key = _key_stored(node)
        if key is not None and _is_digits(key, context) and constructs_module(node.value, context):
            holder = node.targets[0].target
            owner = context.enclosing_class(node)
            if isinstance(holder, cst.Subscript) and owner is not None and owner.is_mlx_module:
                context.report(self, node, attribute=context.brief(holder.value))
        self._check(node, context)

    def visit_AnnAssign(self, node: cst.AnnAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: Store, context: Context) -> None:
        if not isinstance(node.value, (cst.Dict, cst.DictComp)):
            return
        for name, _ in stored_on_self(node, context, None):
            if constructs_module(node.value, context) and any(_is_digits(k, context) for k in _keys(node.value)):
                context.report(self, node, attribute=f"self.{name}")

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn
        from mlx.utils import tree_flatten

        def reloaded(keys: list[str]) -> nn.Module:
            model = nn.Module()
            model.heads = {key: nn.Linear(1, 1) for key in keys}
            return model.load_weights(tree_flatten(model.parameters()))

        return Evidence(
            raises(lambda: reloaded(["0", "1"]), KeyError), shown(bool(reloaded(["a", "b"])), "with letters it loads")
        )


def _keys(node: cst.Dict | cst.DictComp) -> list[cst.BaseExpression]:
    if isinstance(node, cst.DictComp):
        return [node.key]
    return [element.key for element in node.elements if isinstance(element, cst.DictElement)]


def _key_stored(node: cst.Assign) -> cst.BaseExpression | None:
    """The key in ``self.name[key] = …``."""
    target = node.targets[0].target
    if not isinstance(target, cst.Subscript) or len(target.slice) != 1 or not isinstance(target.value, cst.Attribute):
        return None
    index = target.slice[0].slice
    is_own = isinstance(target.value.value, cst.Name) and target.value.value.value == "self"
    return index.value if is_own and isinstance(index, cst.Index) else None


def _is_digits(key: cst.BaseExpression, context: Context) -> bool:
    """Whether a key is surely a string of digits: a literal, or ``str`` of an int."""
    text = constant(context.value(key), str)
    if text is not None:
        return str(text).isdecimal()
    is_text = isinstance(key, cst.Call) and context.callee(key) == "builtins.str" and len(key.args) == 1
    return is_text and scalar_type(context.value(key.args[0].value)) == "int"  # type: ignore[attr-defined]
