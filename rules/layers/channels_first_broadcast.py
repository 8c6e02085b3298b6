from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._layouts import channels_last
from ._losses import index_of


class ChannelsFirstBroadcast(Rule):
    """A vector per channel is shaped (N, C, 1, 1) and combined with a channels-last map

    ## What it does
    Finds sums and products of a channels-last map and `v[:, :, None, None]`.

    ## PyTorch and MLX
    In NCHW a vector per channel needs two axes after it. MLX's maps are NHWC: the vector's axis must be the last, with
    the new axes before it, as in `v[:, None, None, :]`. Otherwise the shapes do not broadcast, or the vector is spread
    over the height.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 1)(mx.zeros((2, 8, 8, 3)))
    embedding = mx.zeros((2, 8))
    features = features + embedding[:, :, None, None]
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 1)(mx.zeros((2, 8, 8, 3)))
    embedding = mx.zeros((2, 8))
    features = features + embedding[:, None, None, :]
    ```

    ## Fix safety
    The fix puts the new axes before the vector's. It is unsafe: the map may have been turned around on a way the
    linter does not see.

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX335"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = (
        "`{map}` is channels-last, and `{vector}` spreads its channels over the height: write `[:, None, None, :]`"
    )

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check(node.left, node.right, context)
        self._check(node.right, node.left, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node.target, node.value, context)

    def _check(self, whole: cst.BaseExpression, vector: cst.BaseExpression, context: Context) -> None:
        subscript = _trailing_axes(vector, context)
        if subscript is not None and channels_last(whole, context) is not None:
            context.report(
                self,
                vector,
                because=[whole],
                confidence=LIKELY,
                map=context.brief(whole),
                vector=context.brief(subscript),
                fix=_channels_last(subscript, context),
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, v = mx.zeros((2, 8, 8, 3)), mx.zeros((2, 3))
        result = x + v[:, None, None, :]
        return Evidence(
            raises(lambda: x + v[:, :, None, None], ValueError), shown(result.shape == x.shape, f"shape {result.shape}")
        )


def _channels_last(subscript: cst.Subscript, context: Context) -> NodeFix | None:
    if context.parent(subscript) is None:
        return None  # stands in another file
    order = [":", *["None"] * (len(subscript.slice) - 2), ":"]
    edits = [Replace(element.slice, part) for element, part in zip(subscript.slice, order)]
    return NodeFix("Put the channels last", edits, Applicability.UNSAFE)


def _trailing_axes(node: cst.BaseExpression, context: Context) -> cst.Subscript | None:
    """The expression ``v[:, :, None, None]`` behind a value."""
    subscript = index_of(context.array(node))
    if subscript is None or len(subscript.slice) not in (4, 5):
        return None
    parts = [element.slice for element in subscript.slice]
    whole = all(isinstance(p, cst.Slice) and p.lower is p.upper is p.step is None for p in parts[:2])
    added = all(
        isinstance(p, cst.Index) and isinstance(p.value, cst.Name) and p.value.value == "None" for p in parts[2:]
    )
    return subscript if whole and added else None
