from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises


class ConditionWithoutChoices(Rule):
    """`mx.where` with a condition only

    ## What it does
    Finds `mx.where(condition)`.

    ## PyTorch and MLX
    `torch.where(condition)` gives the positions where the condition holds. How many there are depends on the data,
    which a lazy graph cannot express: `mx.where` takes three arguments, and one raises `TypeError`.

    ## Example
    ```python
    import mlx.core as mx

    scores = mx.array([0.1, 0.9, 0.4])
    (kept,) = mx.where(scores > 0.3)
    ```

    ## Use instead
    Choose elementwise, or take the positions outside the graph:

    ```python
    import mlx.core as mx
    import numpy as np

    scores = mx.array([0.1, 0.9, 0.4])
    masked = mx.where(scores > 0.3, scores, 0)
    kept = mx.array(np.flatnonzero(np.array(scores > 0.3)))
    ```

    ## Fix safety
    The fix finds the positions with NumPy, as a tuple of index arrays. It is unsafe: it evaluates the condition at
    once, which a function under `mx.compile` cannot do.

    ## References
    - [mlx.core.where](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.where.html)
    """

    code = "MLX414"
    calls = frozenset({"where"})
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`mx.where` gives no positions: it needs the values for true and for false"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) == 1 and not node.args[0].star and context.callee(node) == "mlx.core.where":
            context.report(self, node, fix=_positions(node, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, -1.0])
        hazard = raises(lambda: mx.where(x > 0), TypeError)
        return Evidence(hazard, agrees(mx.where(x > 0, x, 0), [1.0, 0.0]))


def _positions(node: cst.Call, context: Context) -> NodeFix | None:
    core, numpy = context.importing("mlx.core", "mx"), context.importing("numpy", "np")
    if core is None or numpy is None:
        return None
    (mx, _), (np, imports) = core, numpy
    text = f"tuple(map({mx}.array, {np}.nonzero({np}.array({context.text(node.args[0].value)}))))"
    return NodeFix("Find the positions with NumPy", [*imports, Replace(node, text)], Applicability.UNSAFE)
