from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Sequence
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, raises, shown


class SequentialGivenList(Rule):
    """`nn.Sequential` is given one list or dict of layers

    ## What it does
    Finds `nn.Sequential([…])`, also through a variable, and `nn.Sequential(OrderedDict(…))`.

    ## PyTorch and MLX
    PyTorch's `nn.Sequential` also takes an `OrderedDict`, and people pass lists through `*layers`. MLX takes layers as
    separate arguments only: a list becomes its one layer, and calling it raises `TypeError: 'list' object is not
    callable`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layers = [nn.Linear(2, 2), nn.ReLU()]
    y = nn.Sequential(layers)(mx.ones((1, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    layers = [nn.Linear(2, 2), nn.ReLU()]
    y = nn.Sequential(*layers)(mx.ones((1, 2)))
    ```

    ## Fix safety
    The fix unpacks a list or tuple. It is safe: what stands there cannot be called. For a dict no fix is given.

    ## References
    - [Sequential](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Sequential.html)
    """

    code = "MLX310"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"Sequential"})
    message = "`nn.Sequential` takes layers as separate arguments: {what} becomes its only layer, and is not callable"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) != 1 or node.args[0].star or node.args[0].keyword is not None:
            return
        if context.callee(node) != "mlx.nn.Sequential":
            return
        given = node.args[0].value
        value = context.value(given)
        if isinstance(value, Sequence) and value.kind in ("list", "tuple"):
            loose = isinstance(given, (cst.BooleanOperation, cst.IfExp, cst.Lambda))
            loose = loose and not context.is_parenthesised(given)
            fix = None if loose else NodeFix("Unpack the list", [Insert(node.args[0], "*")], Applicability.SAFE)
            context.report(self, node, because=[given], fix=fix, what=f"a {value.kind}")
        elif isinstance(value, Dict) or (
            isinstance(given, cst.Call) and context.callee(given) == "collections.OrderedDict"
        ):
            context.report(self, node, what="a dict")

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        layers = [nn.ReLU(), nn.Tanh()]
        x = mx.ones((2,))
        result = nn.Sequential(*layers)(x)
        return Evidence(
            raises(lambda: nn.Sequential(layers)(x), TypeError), shown(result.shape == (2,), "unpacked: runs")
        )
