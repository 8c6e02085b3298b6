from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import shapes, tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._layouts import channels_last, number


class ChannelsFirstShape(Rule):
    """Height and width of a channels-last map are read from the places they have in PyTorch

    ## What it does
    Finds `B, C, H, W = x.shape`, `H, W = x.shape[2:]` and pairs of `x.shape[2]` and `x.shape[3]` where `x` is what a
    convolution, a pool or a layer after them returns.

    ## PyTorch and MLX
    In NCHW the sizes are batch, channels, height, width. MLX's maps are NHWC, so index 2 is the width and index 3 the
    number of channels. What is computed from them, a scale or a grid, is wrong.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 1)(mx.zeros((2, 4, 6, 3)))
    B, C, H, W = features.shape
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    features = nn.Conv2d(3, 8, 1)(mx.zeros((2, 4, 6, 3)))
    B, H, W, C = features.shape
    ```

    ## Fix safety
    The fix reads the sizes from where they are in a channels-last map. It is unsafe: the map may have been turned
    around on a way the linter does not see.

    ## References
    - [Conv2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Conv2d.html)
    """

    code = "MLX336"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{array}` is channels-last (batch, height, width, channels), and its shape is read as channels-first"
    targets = frozenset({cst.Tuple, cst.List})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, (cst.Tuple, cst.List)):
            return
        names = [e.value.value if isinstance(e.value, cst.Name) else None for e in target.elements]
        mapped = _shape_read(node.value, names, context)
        if mapped is not None:
            self._report(node.value, mapped, _reordered(target, node.value, context), context)

    def visit_Tuple(self, node: cst.Tuple, context: Context) -> None:
        if len(node.elements) != 2:
            return
        first, second = (_sizes_read(element.value, context) for element in node.elements)
        mapped = next((size.array for size in second if size.is_channels_last), None)
        read = [{size.index for size in sizes if size.is_channels_last} for sizes in (first, second)]
        if mapped is not None and read == [{2}, {3}]:
            edits = [Replace(size.node, str(size.index - 1)) for size in (*first, *second) if size.index in (2, 3)]
            self._report(node, mapped, edits, context)

    def _report(self, node: cst.CSTNode, array: cst.BaseExpression, edits: list[Replace], context: Context) -> None:
        fix = NodeFix("Read channels-last sizes", edits, Applicability.UNSAFE)
        context.report(self, node, because=[array], confidence=LIKELY, array=context.brief(array), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        shape = nn.Conv2d(3, 8, 1)(mx.zeros((2, 4, 6, 3))).shape
        return Evidence(
            shown(shape[2:] != (4, 6), f"shape[2:] is {shape[2:]}"),
            shown(shape[1:3] == (4, 6), f"shape[1:3] is {shape[1:3]}"),
        )


def _reordered(target: cst.Tuple | cst.List, value: cst.BaseExpression, context: Context) -> list[Replace]:
    """The edits of ``B, C, H, W = x.shape`` and ``H, W = x.shape[2:]``."""
    if isinstance(value, cst.Subscript):
        return [Replace(value.slice[0], "1:3")]
    names = [context.text(element.value) for element in target.elements]
    names = [names[0], *names[2:], names[1]]
    return [Replace(element.value, name) for element, name in zip(target.elements, names)]


def _shape_read(node: cst.BaseExpression, names: Sequence[str | None], context: Context) -> cst.BaseExpression | None:
    """The channels-last map whose shape is unpacked into names in channels-first order."""
    if isinstance(node, cst.Attribute) and node.attr.value == "shape":
        if shapes.layout_of_names(list(names)) == "channels_first" and channels_last(node.value, context) is not None:
            return node.value
    if (
        isinstance(node, cst.Subscript)
        and len(names) == 2
        and isinstance(node.value, cst.Attribute)
        and node.value.attr.value == "shape"
    ):
        part = node.slice[0].slice
        spatial = all(name is not None and name.lower().strip("_") in shapes.SPATIAL_NAMES for name in names)
        if spatial and isinstance(part, cst.Slice) and part.upper is None and part.lower is not None:
            array = channels_last(node.value.value, context)
            if array is not None and number(context.value(part.lower)) in (2, -2):
                return node.value.value
    return None


@dataclass(frozen=True)
class _Size:
    """``array.shape[index]``; ``node`` is that of the index."""

    index: int
    node: cst.BaseExpression
    array: cst.BaseExpression
    is_channels_last: bool


def _sizes_read(node: cst.BaseExpression, context: Context) -> list[_Size]:
    """Each ``x.shape[index]`` below an expression."""
    found = []
    for part in tree.walk(node):
        if not (
            isinstance(part, cst.Subscript)
            and isinstance(part.value, cst.Attribute)
            and part.value.attr.value == "shape"
        ):
            continue
        index = part.slice[0].slice
        at = number(context.value(index.value)) if isinstance(index, cst.Index) else None
        if isinstance(index, cst.Index) and at is not None:
            array = part.value.value
            found.append(_Size(at, index.value, array, channels_last(array, context) is not None))
    return found
