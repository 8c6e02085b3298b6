from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Array
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

ASTYPE = "mlx.core.array.astype"
LONGEST = 6


class IntegerMaskIndex(Rule):
    """A mask of integers is taken for positions

    ## What it does
    Finds `x[mask]` and `x[mask] = v` where `mask` was cast from bools to integers.

    ## PyTorch and MLX
    PyTorch takes a `uint8` tensor as index for a mask (with a warning). To MLX all integers are positions: `x[mask]`
    gathers elements 0 and 1, over and over.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([10, 20, 30])
    mask = (x > 15).astype(mx.uint8)
    x[mask] = 0
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([10, 20, 30])
    mask = x > 15
    x[mask] = 0
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX116"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{mask}` is a mask cast to {dtype}: as an index it means positions 0 and 1"
    targets = frozenset({cst.Subscript})

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        self._check(node, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, context)

    def _check(self, node: cst.Subscript, context: Context) -> None:
        if len(node.slice) != 1 or not isinstance(node.slice[0].slice, cst.Index):
            return
        index = node.slice[0].slice.value
        mask, array = context.array(index), context.array(node.value)
        if mask is None or array is None or mask.dtype in (None, "bool_"):
            return
        bools = next((found for found in _cast_from(index, context) if found.dtype == "bool_"), None)
        if bools is not None and (_covers(mask, array) or _is_made_of(bools, node.value, context)):
            context.report(
                self, node, because=[index], confidence=Confidence.LIKELY, mask=context.brief(index), dtype=mask.dtype
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, y = mx.array([10, 20, 30]), mx.array([10, 20, 30])
        x[(x > 15).astype(mx.uint8)] = 0
        y[y > 15] = 0
        return Evidence(differs(x, [10, 0, 0]), agrees(y, [10, 0, 0]))


def _covers(mask: Array, array: Array) -> bool:
    """Whether a mask has the shape of the array; one for two rows may choose between them."""
    return bool(mask.shape) and mask.shape == (array.shape or ())[: len(mask.shape or ())] and mask.shape != (2,)


def _is_made_of(bools: Array, array: cst.BaseExpression, context: Context) -> bool:
    """Whether a comparison is one of the array itself."""
    if dotted(array) is None or not isinstance(bools.node, cst.Comparison):
        return False
    return any(dotted(part) == dotted(array) for part in walk(bools.node))


def _cast_from(node: cst.CSTNode, context: Context) -> Iterator[Array]:
    """What an array was before its casts, outermost first."""
    for _ in range(LONGEST):
        if isinstance(node, cst.Name):
            array = context.array(node)
            if array is None or array.node is None or array.node is node:
                return
            node = array.node
        elif isinstance(node, cst.Call) and context.callee(node) == ASTYPE and isinstance(node.func, cst.Attribute):
            node = node.func.value
            if (found := context.array(node)) is not None:
                yield found
        else:
            return
