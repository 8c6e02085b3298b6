from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._modules import is_module

_TREES = frozenset({"parameters", "trainable_parameters"})


class ParametersTreeWritten(Rule):
    """An array is written into the dict that `parameters()` returns

    ## What it does
    Finds `model.parameters()["name"] = array` and `model.parameters().update(…)`.

    ## PyTorch and MLX
    PyTorch's `state_dict()` and `parameters()` give the tensors themselves, which can be changed in place. MLX's
    `parameters()` builds a new dict at each call: what is stored in it is lost. Use `model.update(…)` or
    `load_weights`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    layer.parameters()["weight"] = mx.zeros((2, 2))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Linear(2, 2)
    layer.update({"weight": mx.zeros((2, 2))})
    ```

    ## References
    - [Module.update](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.update.html)
    """

    code = "MLX361"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "`{tree}` is a new dict: what is stored in it does not reach the model"
    targets = frozenset({cst.Subscript})
    calls = frozenset({".update"})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            self._check(target.target, node, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node.target, node, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if isinstance(node.func, cst.Attribute) and node.func.attr.value == "update":
            self._report(node.func.value, node, context)

    def _check(self, target: cst.BaseExpression, node: cst.CSTNode, context: Context) -> None:
        if not isinstance(target, cst.Subscript):
            return
        while isinstance(target, cst.Subscript):
            target = target.value
        self._report(target, node, context)

    def _report(self, tree: cst.BaseExpression, node: cst.CSTNode, context: Context) -> None:
        if (
            isinstance(tree, cst.Call)
            and isinstance(tree.func, cst.Attribute)
            and tree.func.attr.value in _TREES
            and is_module(context.value(tree.func.value))
        ):
            context.report(self, node, because=[tree.func.value], tree=context.brief(tree))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layer = nn.Linear(2, 2)
        layer.parameters()["weight"] = mx.zeros((2, 2))
        hazard = differs(layer.weight, mx.zeros((2, 2)))
        layer.update({"weight": mx.zeros((2, 2))})
        return Evidence(hazard, agrees(layer.weight, mx.zeros((2, 2))))
