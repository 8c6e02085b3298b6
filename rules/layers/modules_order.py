from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._modules import is_module

_LISTS = frozenset({"modules", "named_modules"})
_ORDERED = frozenset({"builtins.next", "builtins.zip"})


class ModulesOrder(Rule):
    """Code relies on the order of `modules()`, which is not PyTorch's

    ## What it does
    Finds `next(…)` and `zip(…)` over `modules()` or `named_modules()` of an MLX module, and `[0]` or `[-1]` of them.

    ## PyTorch and MLX
    PyTorch goes through a model from its first layer to its last. MLX's `modules()` begins with the model too, and then
    takes the layers from the last to the first: "the first convolution" is the last one, and pairing two lists of
    modules pairs the wrong ones. Name the layers, or sort `named_modules()`.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    first = next(m for m in model.modules() if isinstance(m, nn.Linear))
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    first = model.layers[0]
    ```

    ## References
    - [Module.modules](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.modules.html)
    """

    code = "MLX359"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"next", "zip"})
    message = "`{listed}` goes from the last layer to the first, PyTorch's from the first to the last"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _ORDERED:
            return
        for arg in node.args:
            listed = _listed(arg.value, context)
            if listed is not None:
                context.report(self, node, confidence=LIKELY, listed=context.brief(listed))
                return

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        calls = isinstance(node.value, (cst.Call, cst.ListComp))
        if len(node.slice) != 1 or not isinstance(index, cst.Index) or not calls:
            return
        listed, picked = _listed(node.value, context), constant(context.value(index.value), int)
        # [0] of `modules()` itself is the model, in both libraries
        if listed is not None and (picked in (-1, 1) or (picked == 0 and listed is not node.value)):
            context.report(self, node, confidence=LIKELY, listed=context.brief(listed))

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
        order = [m.weight.shape[0] for m in model.modules() if isinstance(m, nn.Linear)]
        return Evidence(differs(order, [3, 4]), agrees([m.weight.shape[0] for m in model.layers], [3, 4]))


def _listed(node: cst.BaseExpression, context: Context) -> cst.Call | None:
    """The call of ``modules()`` that an expression runs through, plainly or in a comprehension or ``list``."""
    if isinstance(node, (cst.GeneratorExp, cst.ListComp)):
        return None if _asks_for_one(node.for_in) else _listed(node.for_in.iter, context)
    if not isinstance(node, cst.Call):
        return None
    if context.callee(node) in ("builtins.iter", "builtins.list", "builtins.enumerate") and node.args:
        return _listed(node.args[0].value, context)
    func = node.func
    if isinstance(func, cst.Attribute) and func.attr.value in _LISTS and is_module(context.value(func.value)):
        return node
    return None


def _asks_for_one(loop: cst.CompFor) -> bool:
    """Whether a comprehension looks for one object, which is found in any order."""
    comparisons = [test.test for test in loop.ifs if isinstance(test.test, cst.Comparison)]
    return any(isinstance(target.operator, cst.Is) for c in comparisons for target in c.comparisons)
