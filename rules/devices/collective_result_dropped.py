from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, Skipped, agrees, differs, shown
from mlxlint.rules.devices._ring import ALONE, LONGEST, answer, answers, two_processes

_REDUCTIONS = frozenset({"all_sum", "all_max", "all_min", "all_gather", "sum_scatter"})
_POINT_TO_POINT = frozenset({"send", "recv", "recv_like"})
_TOGETHER = {"all_sum": [3.0], "all_max": [2.0], "all_min": [1.0], "all_gather": [1.0, 2.0]}
_WAIT = 3  # seconds


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
        elif callee.rpartition(".")[2] in _REDUCTIONS and isinstance(subject, cst.Name):
            kept = NodeFix("Keep the result", [Replace(node, f"{subject.value} = {context.text(node)}")])
            fix = None if context.is_parenthesised(node) else kept
        name = callee.rpartition(".")[2]
        shown_by = {"function": name} if name in (*_TOGETHER, "send") else {}
        context.report(self, node, function=context.brief(node.func), fix=fix, repro=shown_by)

    @staticmethod
    def repro(function: Literal["all_sum", "all_max", "all_min", "all_gather", "send"] = "all_sum") -> Evidence:
        if function == "send":
            evaluated, dropped = _received("mx.eval({})", LONGEST), _received("{}", _WAIT)
            if evaluated is None:
                raise Skipped(ALONE)
            hazard = shown(dropped is None, f"received within {_WAIT} s: {dropped or 'nothing'}")
            return Evidence(hazard, agrees(evaluated, [1.0]))
        operation = f"mx.distributed.{function}(x)"
        together = _TOGETHER[function]
        left, kept = _left_in_two(operation), _left_in_two(f"x = {operation}")
        hazard = differs(left, [together, together], what=f"the argument in two processes after {function}")
        return Evidence(hazard, agrees(kept, [together, together]))


def _left_in_two(statement: str) -> list[list[float]]:
    """What is in ``x``, 1.0 in one process and 2.0 in another, after a statement."""
    return answers(f"x = mx.array([1.0 + group.rank()])\n{statement}\nprint(x.tolist())")


def _received(template: str, seconds: float) -> list[float] | None:
    """What the second of two processes receives from the first in some time, if anything."""
    send = template.format("mx.distributed.send(mx.ones((1,)), 1)")
    receive = "print(mx.distributed.recv_like(mx.ones((1,)), 0).tolist(), flush=True)"
    script = f"if group.rank() == 0:\n    {send}\n    time.sleep({LONGEST})\nelse:\n    {receive}"
    with two_processes(script) as (_, receiver):
        return answer(receiver, seconds)
