from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, shown

from ..training._step import EVAL


class EvaluationResultUsed(Rule):
    """The result of `mx.eval` is used

    ## What it does
    Finds `x = mx.eval(y)` and other uses of what `mx.eval` and `mx.async_eval` return.

    ## PyTorch and MLX
    `mx.eval` evaluates its arguments in place and returns `None`; so does `mx.async_eval`, which is no future to
    wait for. In PyTorch `model.eval()` returns the model.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    y = mx.eval(x * 2)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    y = x * 2
    mx.eval(y)
    ```

    ## References
    - [mx.eval](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.eval.html)
    """

    code = "MLX506"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"eval", "async_eval"})
    message = "`mx.{function}` returns `None`: it evaluates its arguments in place"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in EVAL:
            return
        parent = context.parent(node)
        if isinstance(parent, cst.Arg):
            parent = context.parent(parent)
        used = isinstance(
            parent,
            (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Attribute, cst.BinaryOperation, cst.Subscript, cst.Call),
        )
        if used and parent is not None:
            context.report(self, node, function=callee.rpartition(".")[2])

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0])
        y = x * 2
        return Evidence(shown(mx.eval(y) is None, "mx.eval(y) is None"), agrees(y, [2.0, 4.0]))
