from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import Sequence
from mlxlint.rule import Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, raises, shown


class RandintBound(Rule):
    """`mx.random.randint` with one bound

    ## What it does
    Finds `mx.random.randint(high, shape)` and `mx.random.randint(high)`.

    ## PyTorch and MLX
    `torch.randint(high, size)` counts from zero. `mx.random.randint` needs both bounds, so that the shape is taken for
    `high`, which raises `ValueError`.

    ## Example
    ```python
    import mlx.core as mx

    index = mx.random.randint(10, (4,))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    index = mx.random.randint(0, 10, (4,))
    ```

    ## Fix safety
    Safe: the code raises as it is.

    ## References
    - [mlx.core.random.randint](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.randint.html)
    """

    code = "MLX417"
    calls = frozenset({"randint"})
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`mx.random.randint` needs both bounds: `randint(0, {high}, ...)`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args or context.callee(node) != "mlx.core.random.randint":
            return
        given = ArgumentNodes(node)
        if given.starred or not given.positional or {"low", "high"} & set(given.keywords):
            return
        alone = len(given.positional) == 1
        if not alone and not isinstance(context.value(given.positional[1].value), Sequence):
            return
        high = given.positional[0]
        fix = NodeFix("Count from zero", [Insert(high, "0, ")])
        context.report(self, node, high=context.brief(high.value), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        drawn = mx.random.randint(0, 10, (4,))
        hazard = raises(lambda: mx.random.randint(10, (4,)), ValueError, TypeError)
        return Evidence(hazard, shown(drawn.shape == (4,), f"shape {drawn.shape}"))
