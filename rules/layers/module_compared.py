from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Sequence, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._modules import is_module

_SEARCHES = frozenset({"index", "remove", "count"})


class ModuleCompared(Rule):
    """Modules are compared by `==`, which compares what they hold

    ## What it does
    Finds `==` and `!=` between MLX modules, `layer in layers`, and `index`, `remove` and `count` of a list with a
    module.

    ## PyTorch and MLX
    PyTorch's modules are equal only to themselves. MLX's are dicts, and `==` compares their contents: `nn.ReLU()`
    equals `nn.Tanh()`, since both are empty, and two layers with weights raise. Compare with `is`.

    ## Example
    ```python
    import mlx.nn as nn

    first, second = nn.ReLU(), nn.Tanh()
    is_same = first == second
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    first, second = nn.ReLU(), nn.Tanh()
    is_same = first is second
    ```

    ## Fix safety
    The fix writes `is` for `==` and `is not` for `!=`. It changes what the program does, and is unsafe.

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX355"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "modules are compared by their contents here: {instead}"
    calls = frozenset("." + name for name in _SEARCHES)

    def visit_Comparison(self, node: cst.Comparison, context: Context) -> None:
        if len(node.comparisons) != 1 or not is_module(context.value(node.left)):
            return
        operator, right = node.comparisons[0].operator, node.comparisons[0].comparator
        if isinstance(operator, (cst.Equal, cst.NotEqual)) and is_module(context.value(right)):
            word = "is" if isinstance(operator, cst.Equal) else "is not"
            text = f"{context.text(node.left)} {word} {context.text(right)}"
            text = f"({text})" if context.is_parenthesised(node) else text
            fix = NodeFix(f"Use `{word}`", [Replace(node, text)], Applicability.UNSAFE)
            context.report(self, node, because=[node.left, right], fix=fix, instead=f"use `{word}`")
        elif isinstance(operator, (cst.In, cst.NotIn)) and _holds_modules(context.value(right)):
            context.report(
                self, node, because=[node.left], confidence=LIKELY, instead="use `any(layer is other for other in …)`"
            )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute) or node.func.attr.value not in _SEARCHES or len(node.args) != 1:
            return
        if is_module(context.value(node.args[0].value)) and _holds_modules(context.value(node.func.value)):
            instead = f"`{node.func.attr.value}` takes the first that has the same contents, or raises"
            context.report(self, node, because=[node.args[0].value], confidence=LIKELY, instead=instead)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        first, second = nn.ReLU(), nn.Tanh()
        weighted = raises(lambda: nn.Linear(2, 2) == nn.Linear(2, 2), ValueError)
        return Evidence(
            shown(first == second and weighted.holds, "nn.ReLU() == nn.Tanh() is True, for two Linear it raises"),
            shown(first is not second, "`is` tells them apart"),
        )


def _holds_modules(value: Value) -> bool:
    return isinstance(value, Sequence) and value.kind in ("list", "tuple") and is_module(value.joined())
