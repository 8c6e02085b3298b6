from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from .._operations import bare

_SHIFT = re.compile(r"shift|tsm", re.IGNORECASE)
_TURN = re.compile(r"transpose|moveaxis|swapaxes|[cC], *[hH], *[wW]\b")
_SHAPERS = frozenset({"reshape", "zeros", "ones", "full", "broadcast_to", "unflatten"})


class ChannelSliceOfOtherAxis(Rule):
    """A part of the channels is written to another axis than that of the channels

    ## What it does
    Finds `out[:, :, :part] = …` where `part` is a fraction of a size, and that size was read from the last axis of a
    shape (`n, h, w, c = x.shape`; `part = c // 8`), but the slice is on another axis; and `out[:, 1:, :fold] = …` in
    functions that are called a shift.

    ## PyTorch and MLX
    In (N, T, C, H, W), as PyTorch has it, `x[:, 1:, :part]` is a part of the channels, which a temporal shift moves. In
    MLX's (N, T, H, W, C) it is a part of the rows. The channels are `x[:, 1:, ..., :part]`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3, 4, 4, 16))
    n, t, h, w, c = x.shape
    part = c // 8
    out = mx.zeros_like(x)
    out[:, :-1, :part] = x[:, 1:, :part]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3, 4, 4, 16))
    n, t, h, w, c = x.shape
    part = c // 8
    out = mx.zeros_like(x)
    out[:, :-1, ..., :part] = x[:, 1:, ..., :part]
    ```

    ## References
    - [Indexing](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX390"
    kind = Kind.SILENT
    severity = Severity.WARNING
    targets = frozenset({cst.Subscript})
    message = "`{bound}` is a part of `{channels}`, the size of the last axis, and cuts axis {axis}"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Subscript) or len(target.slice) < 2:
            return
        for axis, bound in _bounds(target):
            channels = _whole(bound, context)
            count = None if channels is None else _axes_before(channels, context)
            if channels is not None and count is not None and axis < count - 1:
                context.report(
                    self,
                    node,
                    confidence=LIKELY,
                    bound=context.brief(bound),
                    channels=context.text(channels),
                    axis=axis,
                )
                return
        self._check_shift(node, target, context)

    def _check_shift(self, node: cst.Assign, target: cst.Subscript, context: Context) -> None:
        """A temporal shift in PyTorch's order: ``out[:, :-1, :fold]`` in a function of that name."""
        function = context.enclosing_function(node)
        if function is None or not _SHIFT.search(function.name) or _TURN.search(context.text(function.node)):
            return
        array = context.array(target.value)
        folds = [bound for axis, bound in _bounds(target) if axis == 2 and "fold" in bound.value]
        first = target.slice[1].slice
        is_moved = isinstance(first, cst.Slice) and (first.lower is not None or first.upper is not None)
        if folds and is_moved and (array is None or array.layout != "channels_first"):
            template = "`{bound}` cuts axis 2, the channels of PyTorch's (N, T, C, H, W): MLX's maps have them last"
            context.report(self, node, template=template, confidence=LIKELY, bound=folds[0].value)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.ones((1, 2, 4, 4, 8))
        moved = mx.zeros_like(x)
        moved[:, :-1, :1] = x[:, 1:, :1]
        channels = mx.zeros_like(x)
        channels[:, :-1, ..., :1] = x[:, 1:, ..., :1]
        expected = [16.0, 0.0]  # of the first and the second channel
        return Evidence(
            differs(moved.sum(axis=(0, 1, 2, 3))[:2], expected), agrees(channels.sum(axis=(0, 1, 2, 3))[:2], expected)
        )


def _bounds(target: cst.Subscript) -> list[tuple[int, cst.Name]]:
    """The names that bound slices, each with the axis it cuts counted from the front."""
    found: list[tuple[int, cst.Name]] = []
    for axis, element in enumerate(target.slice):
        part = element.slice
        if isinstance(part, cst.Index) and isinstance(part.value, (cst.Ellipsis, cst.Name)):
            return found
        if isinstance(part, cst.Slice):
            found += [(axis, bound) for bound in (part.lower, part.upper) if isinstance(bound, cst.Name)]
    return found


def _assignments(node: cst.CSTNode, context: Context) -> list[cst.Assign]:
    """The assignments of the function (or module) around a node."""
    function = context.enclosing_function(node)
    root = context.tree if function is None else function.node.body
    return list(context.nodes(root, cst.Assign))


def _whole(bound: cst.Name, context: Context) -> cst.Name | None:
    """``c`` of ``part = c // 8``, where that is the only assignment to ``part``."""
    made = [a.value for a in _assignments(bound, context) if tree.dotted(a.targets[0].target) == bound.value]
    value = made[0] if len(made) == 1 else None
    if not isinstance(value, cst.BinaryOperation) or not isinstance(value.operator, cst.FloorDivide):
        return None
    return value.left if isinstance(value.left, cst.Name) else None


def _axes_before(channels: cst.Name, context: Context) -> int | None:
    """How many axes arrays have whose last size is ``channels``, at the least; None where it may be another axis."""
    counts = []
    for assign in _assignments(channels, context):
        target = assign.targets[0].target
        if isinstance(target, (cst.Tuple, cst.List)) and bare(assign.value, context).endswith(".shape"):
            names = [bare(element.value, context) for element in target.elements]
            if channels.value in names[:-1]:
                return None
            counts += [len(names)] if names[-1] == channels.value else []
    if not counts:
        return None
    shaped = [_shaped_axes(call, channels.value, context) for call in _calls(channels, context)]
    return None if -1 in shaped else min([*counts, *(count for count in shaped if count)])


def _calls(node: cst.CSTNode, context: Context) -> list[cst.Call]:
    function = context.enclosing_function(node)
    return list(context.nodes(context.tree if function is None else function.node.body, cst.Call))


def _shaped_axes(call: cst.Call, channels: str, context: Context) -> int:
    """How many sizes a ``reshape`` or the like is given that ends with the channels; -1 where they stand elsewhere."""
    name = call.func.attr if isinstance(call.func, cst.Attribute) else call.func
    if not isinstance(name, cst.Name) or name.value not in _SHAPERS:
        return 0
    sizes: list[cst.BaseExpression] = [arg.value for arg in call.args]
    for arg in call.args:
        if isinstance(arg.value, (cst.Tuple, cst.List)):
            sizes = [element.value for element in arg.value.elements]
    texts = [bare(size, context) for size in sizes]
    if channels not in texts:
        return 0
    return len(texts) if texts[-1] == channels else -1
