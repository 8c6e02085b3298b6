from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._layouts import layer_called


class BatchnormFiveAxes(Rule):
    """`nn.BatchNorm` is given a volume or a video with five axes

    ## What it does
    Finds calls of an `nn.BatchNorm` whose input has five axes, as `nn.Conv3d` and the 3-D pools return.

    ## PyTorch and MLX
    PyTorch has `BatchNorm3d`. MLX's `nn.BatchNorm` takes two, three or four axes and raises for five. Its statistics
    are over all axes but the last, so the middle axes can be joined before, and parted after.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    norm = nn.BatchNorm(8)
    y = norm(nn.Conv3d(3, 8, 1)(mx.zeros((1, 4, 4, 4, 3))))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    norm = nn.BatchNorm(8)
    x = nn.Conv3d(3, 8, 1)(mx.zeros((1, 4, 4, 4, 3)))
    y = norm(x.reshape(x.shape[0], -1, x.shape[-1])).reshape(x.shape)
    ```

    ## References
    - [BatchNorm](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.BatchNorm.html)
    """

    code = "MLX347"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "`nn.BatchNorm` takes at most four axes, and `{input}` has five"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if layer_called(node, context, frozenset({"mlx.nn.BatchNorm"})) is None:
            return
        given = context.argument(node, 0, "x")
        array = context.array(given)
        if given is not None and array is not None and array.rank == 5:
            context.report(self, node, because=[given], input=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        norm, x = nn.BatchNorm(2), mx.zeros((1, 3, 3, 3, 2))
        shape = norm(x.reshape(1, -1, 2)).reshape(x.shape).shape
        return Evidence(raises(lambda: norm(x), ValueError), shown(shape == x.shape, "joined axes: runs"))
