from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._modules import is_module


class ModuleMappedToDict(Rule):
    """`tree_map` over a module makes a dict of it

    ## What it does
    Finds `tree_map(f, model)` and `tree_map_with_path(f, model)` whose result is bound to the model's name, returned or
    called.

    ## PyTorch and MLX
    PyTorch's `model.half()` and `model.apply(f)` change the module. An MLX module is a dict, so `tree_map` goes through
    its arrays, and returns nested dicts of plain Python: what comes back cannot be called. `model.update` puts mapped
    arrays back.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 2)
    model = tree_map(lambda p: p.astype(mx.float16), model)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 2)
    model.update(tree_map(lambda p: p.astype(mx.float16), model.parameters()))
    ```

    ## Fix safety
    The fix updates the module with the mapped parameters. It is unsafe: other names of the module see it too.

    ## References
    - [tree_map](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.utils.tree_map.html)
    - [Module.update](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.update.html)
    """

    code = "MLX384"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"tree_map", "tree_map_with_path"})
    message = "`{function}` of a module returns plain dicts: `{module}` cannot be called afterwards"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        given = context.argument(node, 1, "tree")
        if not callee.startswith("mlx.utils.") or given is None or not is_module(context.value(given)):
            return
        parent = context.parent(node)
        rebound = isinstance(parent, cst.Assign) and tree.dotted(parent.targets[0].target) == tree.dotted(given)
        if rebound and tree.dotted(given) is not None:
            fix = _updated(node, given, parent, context)
        elif isinstance(parent, cst.Call) and parent.func is node:
            fix = None
        else:
            return
        context.report(
            self, node, because=[given], function=callee.rpartition(".")[2], module=context.brief(given), fix=fix
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        from mlx.utils import tree_map

        model = nn.Linear(1, 1)
        mapped = tree_map(lambda p: p * 2, model)
        model.update(tree_map(lambda p: p * 2, model.parameters()))
        return Evidence(
            shown(type(mapped) is dict, "tree_map(f, model) is a dict"),
            shown(model(mx.ones((1, 1))).shape == (1, 1), "an updated module can be called"),
        )


def _updated(node: cst.Call, given: cst.BaseExpression, parent: cst.CSTNode | None, context: Context) -> NodeFix | None:
    """``model.update(tree_map(f, model.parameters()))`` in place of the assignment."""
    if parent is None or len(node.args) != 2 or any(arg.star or arg.keyword is not None for arg in node.args):
        return None
    model, function = context.text(given), context.text(node.args[0].value)
    text = f"{model}.update({context.text(node.func)}({function}, {model}.parameters()))"
    return NodeFix("Update the module", [Replace(parent, text)], Applicability.UNSAFE)
