from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, Skipped, shown

from ..kernels._flow import origin
from ._ranks import COLLECTIVES, for_one_rank, is_collective
from ._ring import ALONE, LONGEST, answer, two_processes

_READING = frozenset({"item", "tolist"})
_EVALUATING = frozenset({"mlx.core.eval", "builtins.float", "builtins.int", "builtins.print", "numpy.array"})
_WAIT = 3  # seconds


class CollectiveOnOneRank(Rule):
    """A collective operation is run by one process only, and waits for the others

    ## What it does
    Finds `if rank == 0:` with a collective operation of `mx.distributed` inside, or with the first evaluation of one
    recorded above.

    ## PyTorch and MLX
    `torch.distributed` communicates where it is called. MLX records the operation, and communicates where its result
    is evaluated: a loss that is summed by all processes and printed by one hangs, since the others never take part.
    Evaluate before the condition.

    ## Example
    ```python
    import mlx.core as mx

    world = mx.distributed.init()
    total = mx.distributed.all_sum(mx.array(1.5))
    if world.rank() == 0:
        print(total.item())
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    world = mx.distributed.init()
    total = mx.distributed.all_sum(mx.array(1.5))
    mx.eval(total)
    if world.rank() == 0:
        print(total.item())
    ```

    ## References
    - [Distributed communication](https://ml-explore.github.io/mlx/build/html/usage/distributed.html)
    """

    code = "MLX607"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = _READING | COLLECTIVES | {name.rpartition(".")[2] for name in _EVALUATING}
    message = "`{what}` is run by one process only: it waits for the others for ever"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if is_collective(callee):
            branch = for_one_rank(node, context)
            if branch is not None and not _has_counterpart(branch, context):
                context.report(self, node, what=context.brief(node), confidence=Confidence.LIKELY)
            return
        for read in _read(node, callee, context):
            array = context.array(read)
            if array is None or not is_collective(array.op):
                continue
            branch, made = for_one_rank(node, context), origin(read, context)
            outside = branch is not None and not any(part is made for part in walk(branch))
            if (
                branch is not None
                and outside
                and branch.orelse is None
                and not _is_evaluated(read, made, branch, context)
            ):
                context.report(self, node, because=[read], what=context.brief(node), confidence=Confidence.LIKELY)
                return

    @staticmethod
    def repro() -> Evidence:
        def printed(before: str) -> list[float] | None:
            script = f"total = mx.distributed.all_sum(mx.array([1.0]))\n{before}\n"
            script += f"if group.rank() == 0:\n    print(total.tolist(), flush=True)\nelse:\n    time.sleep({LONGEST})"
            with two_processes(script) as (first, _):
                return answer(first, LONGEST if before else _WAIT)

        evaluated, late = printed("mx.eval(total)"), printed("")
        if evaluated is None:
            raise Skipped(ALONE)
        return Evidence(
            shown(late is None, f"the first process gets {late or 'nothing'} within {_WAIT} s"),
            shown(evaluated == [2.0], f"evaluated by both: {evaluated}"),
        )


def _has_counterpart(branch: cst.If, context: Context) -> bool:
    """Whether the other processes take part in another branch."""
    others = [branch.orelse] if branch.orelse is not None else []
    calls = (part for other in others for part in walk(other) if isinstance(part, cst.Call))
    return any(is_collective(context.callee(call)) for call in calls)


def _read(node: cst.Call, callee: str | None, context: Context) -> list[cst.BaseExpression]:
    """The expressions that a call evaluates."""
    if callee in _EVALUATING:
        return [arg.value for arg in node.args if not arg.star]
    is_reader = isinstance(node.func, cst.Attribute) and node.func.attr.value in _READING
    return [node.func.value] if is_reader and isinstance(node.func, cst.Attribute) else []


def _is_evaluated(read: cst.BaseExpression, made: cst.CSTNode, branch: cst.If, context: Context) -> bool:
    """Whether anything evaluates an array, under its name, between the place it is made and a branch."""
    path, after = dotted(read), False
    code = context.enclosing_function(read)
    for node in context.walk(context.tree if code is None else code.node.body):
        if node is branch:
            return False
        after = after or node is made
        if after and isinstance(node, cst.Call) and not is_collective(context.callee(node)):
            if any(dotted(part) == path for part in walk(node)):
                return True  # perhaps only handed on: not surely unevaluated
    return False
