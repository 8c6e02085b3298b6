from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from .._operations import bare, operation
from ._layouts import axes_given

_NAME = re.compile(r"pixel_?shuffle", re.IGNORECASE)
_MIXED = [0, 1, 3, 2, 4, 5]  # (n, h, w, r, r, c) to (n, h, r, w, r, c)


class PixelShuffleOrder(Rule):
    """A pixel shuffle splits the channels in another order than PyTorch's

    ## What it does
    Finds functions and methods with `pixel_shuffle` in their name, or in that of their class, that split a
    channels-last map into (n, h, w, r, r, c) and transpose that by (0, 1, 3, 2, 4, 5).

    ## PyTorch and MLX
    In PyTorch's `pixel_shuffle` channel `c * r * r + i * r + j` goes to row `i` and column `j` of channel `c`: the
    channels are (c, r, r). Splitting them as (r, r, c), as TensorFlow's `depth_to_space` does, has the same shape and
    mixes the channels of a model that was trained with PyTorch.

    ## Example
    ```python
    import mlx.core as mx


    def pixel_shuffle(x: mx.array, r):
        n, h, w, c = x.shape
        x = x.reshape(n, h, w, r, r, c // (r * r))
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h * r, w * r, -1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def pixel_shuffle(x: mx.array, r):
        n, h, w, c = x.shape
        x = x.reshape(n, h, w, c // (r * r), r, r)
        return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * r, w * r, -1)
    ```

    ## References
    - [mlx.core.transpose](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.transpose.html)
    """

    code = "MLX393"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({".transpose", "transpose"})
    message = "`{name}` splits the channels as (r, r, c); PyTorch's are (c, r, r)"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if len(node.args) not in (1, 2, 6, 7) or _axes(node, context) != _MIXED:
            return
        function = context.enclosing_function(node)
        if function is None:
            return
        owner = function.owner.name if function.owner is not None else ""
        name = next((name for name in (function.name, owner) if _NAME.search(name)), None)
        if name is not None:
            context.report(self, node, confidence=LIKELY, name=name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(8.0).reshape(1, 1, 1, 8)
        mixed = x.reshape(1, 1, 1, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(1, 2, 2, 2)
        right = x.reshape(1, 1, 1, 2, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 2, 2)
        expected = [[[[0, 4], [1, 5]], [[2, 6], [3, 7]]]]
        return Evidence(differs(mixed, expected), agrees(right, expected))


def _axes(node: cst.Call, context: Context) -> list[int | None]:
    """The axes of a transposition, of an array that is known to be one or not."""
    if operation(node, context, frozenset({"transpose"})) is not None:
        return axes_given(node, context)
    given = [arg.value for arg in node.args]
    if len(given) == 1 and isinstance(given[0], (cst.Tuple, cst.List)):
        given = [element.value for element in given[0].elements]
    texts = [bare(axis, context) for axis in given]
    return [int(text) if text.isdigit() else None for text in texts]
