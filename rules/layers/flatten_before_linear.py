from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._layouts import channels_last, layer_called


class FlattenBeforeLinear(Rule):
    """Channels-last features are flattened for a linear layer that was trained on channels-first ones

    ## What it does
    Finds `nn.Linear` layers whose input is a flattened map of a convolution or pool. It is a warning where the file
    shows that PyTorch's behaviour is meant, and a note elsewhere.

    ## PyTorch and MLX
    Flattening (N, C, H, W) gives all of channel 0 first. MLX's maps are (N, H, W, C), and flattening them mixes the
    channels. A layer trained in MLX learns either order; weights from PyTorch need PyTorch's.

    ## Example
    ```python
    # Loads the weights of the PyTorch classifier.
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 3)(mx.zeros((1, 6, 6, 3)))
    scores = nn.Linear(128, 10)(features.reshape(1, -1))
    ```

    ## Use instead
    ```python
    # Loads the weights of the PyTorch classifier.
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 3)(mx.zeros((1, 6, 6, 3)))
    scores = nn.Linear(128, 10)(features.transpose(0, 3, 1, 2).reshape(1, -1))
    ```

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX337"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"__call__"})
    message = "`{map}` is channels-last: flattened, its features are in another order than PyTorch's"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if layer_called(node, context, frozenset({"mlx.nn.Linear"})) is None:
            return
        given = context.argument(node, 0, "x")
        flat = _flattened(given, context)
        if given is not None and flat is not None:
            context.report_default(self, given, because=[flat], confidence=LIKELY, map=context.brief(flat))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        torch_map = mx.arange(8).reshape(1, 2, 2, 2)  # batch, channels, height, width
        mlx_map = torch_map.transpose(0, 2, 3, 1)
        expected = torch_map.reshape(1, -1)
        return Evidence(
            differs(mlx_map.reshape(1, -1), expected), agrees(mlx_map.transpose(0, 3, 1, 2).reshape(1, -1), expected)
        )


def _flattened(node: cst.CSTNode | None, context: Context) -> cst.BaseExpression | None:
    """The channels-last map of which an expression is the flattened form, one row per sample."""
    array = context.array(node)
    if array is None or not isinstance(array.node, cst.Call):
        return None
    call, op = array.node, (array.op or "").rpartition(".")[2]
    if op not in ("reshape", "flatten") or (op == "reshape" and array.rank != 2):
        return None
    method = isinstance(call.func, cst.Attribute) and context.array(call.func.value) is not None
    if op == "reshape" and _keeps_features(call, method, context):
        return None
    source = call.func.value if method and isinstance(call.func, cst.Attribute) else call.args[0].value
    mapped = channels_last(source, context)
    if mapped is None or mapped.rank is None or (mapped.shape or ())[1:-1] == (1,) * (mapped.rank - 2):
        return None
    return source


def _keeps_features(call: cst.Call, method: bool, context: Context) -> bool:
    """Whether a reshape to ``(-1, channels)`` makes a row of each position, of features that stay in order."""
    sizes: list[cst.BaseExpression] = [arg.value for arg in call.args[0 if method else 1 :]]
    if len(sizes) == 1 and isinstance(sizes[0], (cst.Tuple, cst.List)):
        sizes = [element.value for element in sizes[0].elements]
    if len(sizes) != 2 or constant(context.value(sizes[0]), int) != -1:
        return False
    return isinstance(sizes[1], (cst.Name, cst.Attribute))
