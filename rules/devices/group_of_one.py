from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, Skipped, shown
from mlxlint.rules._shared import with_keyword

from ._ranks import GROUP

_TORCHRUN = re.compile(
    r"\b(LOCAL_RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT|torchrun|torch\.distributed\.(?:run|launch))\b"
)


class GroupOfOne(Rule):
    """A group of processes is expected from `torchrun`

    ## What it does
    Finds `mx.distributed.init()` without `strict=True` in files that speak of `torchrun` or of the variables that it
    sets (`LOCAL_RANK`, `WORLD_SIZE`, `MASTER_ADDR`), where nothing compares the size of the group.

    ## PyTorch and MLX
    `init_process_group` finds the other processes by the variables that `torchrun` sets, and raises without them. MLX
    does not read these: `mx.distributed.init()` returns a group of one process, in which sums and averages change
    nothing, and each process trains alone. `mlx.launch` starts the processes that MLX finds.

    ## Example
    ```python
    import os

    import mlx.core as mx

    device = int(os.environ.get("LOCAL_RANK", 0))
    world = mx.distributed.init()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    world = mx.distributed.init()  # started by `mlx.launch -n 2 train.py`
    if world.size() == 1:
        print("a single process")
    ```

    ## Fix safety
    Unsafe: `strict=True` raises where a single process was meant to train as well.

    ## References
    - [Launching distributed programs](https://ml-explore.github.io/mlx/build/html/usage/launching_distributed.html)
    """

    code = "MLX617"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"init"})
    message = "MLX does not read `{variable}`: started by `torchrun` this is a group of one process"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.distributed.init" or context.arguments(node).starred:
            return
        strict = context.argument(node, 0, "strict")
        if strict is not None and constant(context.value(strict), bool) is not False:
            return
        found = _TORCHRUN.search(context.module.text)
        if found is None or context.shared(_compares_size, context.tree):
            return
        edit = with_keyword(node, "strict=True", context) if strict is None else Replace(strict, "True")
        fix = NodeFix("Be strict", [edit], Applicability.UNSAFE)
        context.report(self, node, variable=found[1], fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import os
        import subprocess

        from mlxlint.rules._shared import python_like_this

        def printed(options: str) -> str:
            script = f"import mlx.core as mx\nprint(mx.distributed.init({options}).size())"
            set_by_torchrun = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}
            done = subprocess.run(
                python_like_this(script), env={**os.environ, **set_by_torchrun}, capture_output=True, text=True
            )
            return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]

        alone, strict = printed(""), printed("strict=True")
        if "MPI" in alone:
            raise Skipped("MPI is installed and does not start here")
        return Evidence(
            shown(alone == "1", f"with WORLD_SIZE=2, a group of {alone}"), shown("Error" in strict, f"strict: {strict}")
        )


def _compares_size(tree: cst.CSTNode, context: Context) -> bool:
    """Whether a file compares the size of a group with something."""
    comparisons = (part for part in walk(tree) if isinstance(part, cst.Comparison))
    calls = (part for each in comparisons for part in walk(each) if isinstance(part, cst.Call))
    return any(context.callee(call) == f"{GROUP}.size" for call in calls)
