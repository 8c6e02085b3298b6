from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs

_REDUCTIONS = frozenset({"all_sum", "all_max", "all_min", "all_gather", "sum_scatter"})
_POINT_TO_POINT = frozenset({"send", "recv", "recv_like"})


class CollectiveResultDropped(Rule):
    """The result of a distributed operation is thrown away

    ## What it does
    Finds `mx.distributed.all_sum(x)`, `all_gather`, `send`, ... as statements of their own.

    ## PyTorch and MLX
    `torch.distributed.all_reduce` and `send` work at once, and the first changes its argument. MLX's return an array:
    the argument stays as it is, and a `send` whose array is never evaluated sends nothing, so that the receiver waits
    for ever.

    ## Example
    ```python
    import mlx.core as mx

    loss = mx.array(1.5)
    mx.distributed.all_sum(loss)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    loss = mx.array(1.5)
    loss = mx.distributed.all_sum(loss)
    ```

    ## Fix safety
    Safe: the result goes to the name that was given, and what is sent is evaluated.

    ## References
    - [Distributed communication](https://ml-explore.github.io/mlx/build/html/usage/distributed.html)
    """

    code = "MLX606"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = _REDUCTIONS | _POINT_TO_POINT
    message = "`{function}` returns its result and changes nothing by itself"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if not callee.startswith("mlx.core.distributed.") or not node.args or not context.is_dropped(node):
            return
        subject, core, fix = node.args[0].value, context.alias("mlx.core"), None
        if callee.endswith(".send") and core is not None:
            fix = NodeFix("Evaluate it", [Replace(node, f"{core}.eval({context.text(node)})")])
        elif callee.rpartition(".")[2] in _REDUCTIONS and isinstance(subject, cst.Name) and not node.lpar:
            fix = NodeFix("Keep the result", [Replace(node, f"{subject.value} = {context.text(node)}")])
        context.report(self, node, function=context.brief(node.func), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        group = mx.distributed.init()
        x = mx.array([1.5])
        gathered = mx.distributed.all_gather(mx.stack([x, x]), group=group)
        mx.distributed.all_gather(x, group=group)
        hazard = differs(x, gathered, what="the argument after all_gather")
        return Evidence(hazard, agrees(gathered[0], x))
