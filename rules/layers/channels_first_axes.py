from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

from .._operations import operation
from ._layouts import axes_of, channels_last

_REDUCTIONS = frozenset("mean sum max min var std prod median logsumexp all any".split())
_ALONG = frozenset("softmax argmax argmin log_softmax logsumexp argsort sort cumsum topk argpartition".split())
_CLASSES = frozenset("softmax argmax argmin log_softmax".split())


class ChannelsFirstAxes(Rule):
    """A channels-last map is reduced over the axes that are spatial in PyTorch

    ## What it does
    Finds reductions over `(2, 3)`, `(-2, -1)`, `(0, 2, 3)` or `(2, 3, 4)`, and `softmax` and `argmax` over axis 1, of
    what convolutions, pools and layers after them return.

    ## PyTorch and MLX
    In NCHW axis 1 is the channels and 2, 3 are space. MLX's maps are NHWC: axis 1 is the height and axes 2, 3 are the
    width and the channels. Global pooling is `mean(axis=(1, 2))`, the best class `argmax(axis=-1)`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 3)(mx.zeros((1, 9, 9, 3)))
    pooled = features.mean(axis=(2, 3))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 3)(mx.zeros((1, 9, 9, 3)))
    pooled = features.mean(axis=(1, 2))
    ```

    ## Fix safety
    The fix gives the axes at which these are in a channels-last map. It is unsafe: the map may have been turned
    around on a way the linter does not see.

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX333"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = _REDUCTIONS | _ALONG
    message = "`{array}` is channels-last: {what}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name, subject, axis = _reduction(node, context)
        if subject is None or axis is None:
            return
        array = channels_last(subject, context)
        axes = axes_of(context.value(axis))
        if array is None or axes is None:
            return
        misread = _misread(name, array, axes)
        if misread is not None and not _has_parameters_for(axes, node, context):
            what, right = misread
            fix = NodeFix("Give the channels-last axes", [Replace(axis, str(right))], Applicability.UNSAFE)
            context.report(
                self, node, because=[subject], confidence=LIKELY, array=context.brief(subject), what=what, fix=fix
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = nn.AvgPool2d(2, 2)(mx.arange(64.0).reshape(1, 4, 4, 4)[..., :2])
        expected = mx.moveaxis(x, -1, 1).mean(axis=(2, 3))
        return Evidence(differs(x.mean(axis=(2, 3)), expected), agrees(x.mean(axis=(1, 2)), expected))


def _has_parameters_for(axes: tuple[int, ...], node: cst.Call, context: Context) -> bool:
    """Whether a layer scales these very axes, the last ones, with parameters of its own: it normalises over them."""
    code = context.enclosing_function(node)
    if code is None or code.owner is None:
        return False
    found = (context.array(each) for each in context.nodes(code.node.body, cst.Attribute))
    return any(
        array.parameter and array.shape is not None and len(array.shape) == len(axes) and 1 not in array.shape
        for array in found
        if array is not None
    )


def _reduction(node: cst.Call, context: Context) -> tuple[str, cst.BaseExpression | None, cst.BaseExpression | None]:
    """Name, array and axis of a reduction: a function or method of ``mlx.core``, or a function of ``mlx.nn``."""
    found = operation(node, context, _REDUCTIONS | _ALONG)
    if found is not None:
        return found.name, found.subject, None if found.starred else found.argument(0, "axis")
    name = (context.callee(node) or "").removeprefix("mlx.nn.")
    if name in ("softmax", "log_softmax"):
        return name, context.argument(node, 0, "x"), context.argument(node, 1, "axis")
    return "", None, None


def _misread(name: str, array: Array, axes: tuple[int, ...]) -> tuple[str, int | tuple[int, ...]] | None:
    """What is wrong with the axes of a channels-last map, and the axes that are meant."""
    rank = array.rank if array.rank is not None else 5 if axes == (2, 3, 4) else None
    if rank is None:
        return None
    places = {axis % rank for axis in axes if -rank <= axis < rank}
    space = set(range(2, rank))
    if name in _REDUCTIONS and len(axes) > 1 and places in (space, space | {0}):
        right = tuple(range(1, rank - 1)) if 0 not in places else tuple(range(rank - 1))
        return f"axes {axes} are not its spatial axes, which are {right}", right
    if name in _CLASSES and axes == (1,):
        return f"axis 1 is its height, and `{name}` over the classes is over axis -1", -1
    return None
