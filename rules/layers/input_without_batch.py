from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._layouts import RANKS, layer_called

_LAYERS = frozenset(RANKS)


class InputWithoutBatch(Rule):
    """A convolution or pool is given one sample without a batch axis

    ## What it does
    Finds `nn.Conv*`, `nn.ConvTranspose*`, `nn.MaxPool*` and `nn.AvgPool*` called with an array that has one axis too
    few.

    ## PyTorch and MLX
    PyTorch takes (C, H, W) as well as (N, C, H, W). MLX's layers take batches alone, (N, H, W, C), and raise for a
    single sample.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    image = mx.zeros((32, 32, 3))
    y = nn.Conv2d(3, 8, 3)(image)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    image = mx.zeros((32, 32, 3))
    y = nn.Conv2d(3, 8, 3)(image[None]).squeeze(0)
    ```

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX375"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "`{layer}` takes batches of {expected} axes, and `{input}` has {rank}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        layer = layer_called(node, context, _LAYERS)
        given = None if layer is None else context.argument(node, 0, "x")
        array = context.array(given)
        if layer is None or given is None or array is None or array.rank != RANKS[layer.type] - 1:
            return
        name = layer.type.replace("mlx.nn.", "")
        context.report(
            self, node, because=[given], layer=f"nn.{name}", expected=RANKS[layer.type], input=context.brief(given),
            rank=array.rank, repro={"layer": name},
        )  # fmt: skip

    @staticmethod
    def repro(layer: str = "Conv2d") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        arguments = (3, 8, 3) if layer.startswith("Conv") else (2, 2)
        module, space = getattr(nn, layer)(*arguments), int(layer[-2])
        sample = mx.zeros((6,) * space + (3,))
        return Evidence(
            raises(lambda: module(sample)), shown(module(sample[None]).ndim == space + 2, "with a batch axis it runs")
        )
