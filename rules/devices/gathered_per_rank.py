from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

from ..kernels._flow import origin
from ._ranks import is_rank
from ._ring import answers

_GATHER = "mlx.core.distributed.all_gather"


class GatheredPerRank(Rule):
    """The result of `all_gather` is read as a list with an array of each process

    ## What it does
    Finds `mx.distributed.all_gather(x)` indexed by a rank, looped over, or given to `mx.stack` or `mx.concatenate`,
    where `x` is known to have axes and its first is not of size 1.

    ## PyTorch and MLX
    `torch.distributed.all_gather` fills a list with one tensor per process. MLX's returns one array, joined along the
    first axis: its element `rank` is a row of the first process.

    ## Example
    ```python
    import mlx.core as mx

    world = mx.distributed.init()
    x = mx.ones((4, 2))
    parts = mx.distributed.all_gather(x)
    mine = parts[world.rank()]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    world = mx.distributed.init()
    x = mx.ones((4, 2))
    parts = mx.split(mx.distributed.all_gather(x), world.size(), axis=0)
    mine = parts[world.rank()]
    ```

    ## References
    - [all_gather](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.distributed.all_gather.html)
    """

    code = "MLX609"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{gathered}` is one array, joined along the first axis, and no list with one per process"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        index = node.slice[0].slice
        if isinstance(index, cst.Index) and _is_gathered(node.value, context) and is_rank(index.value, context):
            self._check(node.value, node, context)

    def visit_For(self, node: cst.For, context: Context) -> None:
        if _is_gathered(node.iter, context):
            self._check(node.iter, node.iter, context)

    def _check(self, gathered: cst.BaseExpression, place: cst.CSTNode, context: Context) -> None:
        made = origin(gathered, context)
        given = context.array(made.args[0].value) if isinstance(made, cst.Call) and made.args else None
        if given is not None and given.shape and given.shape[0] not in (None, 1):
            context.report(
                self, place, because=[gathered], gathered=context.brief(gathered), confidence=Confidence.LIKELY
            )

    @staticmethod
    def repro() -> Evidence:
        head = "x = mx.full((2,), 1.0 + group.rank())\nparts = mx.distributed.all_gather(x)\n"
        read = answers(head + "print(parts[group.rank()].tolist())")
        split = answers(head + "print(mx.split(parts, group.size())[group.rank()].tolist())")
        hazard = differs(read, [[1.0, 1.0], [2.0, 2.0]], what="of both processes")
        return Evidence(hazard, agrees(split, [[1.0, 1.0], [2.0, 2.0]]))


def _is_gathered(node: cst.BaseExpression, context: Context) -> bool:
    array = context.array(node)
    return array is not None and array.op == _GATHER
