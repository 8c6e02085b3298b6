from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Foreign, Sequence, Value, members
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import is_same, operand


class BooleanMaskRead(Rule):
    """Reading an array through a boolean mask

    ## What it does
    Finds `x[mask]` on an MLX array where `mask` is boolean: a comparison, the result of `mx.isnan`, `~m`, a list of
    `True` and `False`, a NumPy mask, alone or as one axis of several.

    ## PyTorch and MLX
    PyTorch returns the selected elements. How many there are depends on the data, which a lazy MLX graph cannot
    express, so MLX raises `ValueError: boolean indices are not yet supported`. Assignment through a mask
    (`x[mask] = 0`) keeps the shape and works.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([0.5, -1.0, 2.0])
    kept = x[x > 0]
    ```

    ## Use instead
    Keep the shape and neutralise what is not selected:

    ```python
    import mlx.core as mx

    x = mx.array([0.5, -1.0, 2.0])
    kept = mx.where(x > 0, x, 0)
    ```

    Where the elements themselves are needed, compute the positions outside the graph
    (`x[mx.array(np.flatnonzero(np.array(x > 0)))]`).

    ## Fix safety
    The fix takes the elements at the positions of the mask, found with NumPy. It evaluates the mask at once, which
    a function under `mx.compile` cannot do, so it is unsafe. Where the index is a mask in some calls only there is
    none.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX101"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{array}` is read through the boolean mask `{mask}`, which MLX does not support"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        array = context.array(node.value)
        if array is None:
            return
        for element in node.slice:
            mask = element.slice.value if isinstance(element.slice, cst.Index) else None
            if mask is not None and any(is_mask(value) for value in context.alternatives(mask)):
                context.report(
                    self, node, because=[node.value, mask], array=context.brief(node.value), mask=context.brief(mask),
                    repro={"dtype": array.dtype} if array.dtype else {}, fix=_positions(node, mask, context),
                )  # fmt: skip
                return

    @staticmethod
    def repro(dtype: str = "float32") -> Evidence:
        import mlx.core as mx

        x = mx.array([1, 2, 3, 4]).astype(getattr(mx, dtype))
        hazard = raises(lambda: x[x > 2], text="boolean")
        return Evidence(hazard, agrees(mx.where(x > 2, x, 0), [0, 0, 3, 4]))


def _positions(node: cst.Subscript, mask: cst.BaseExpression, context: Context) -> NodeFix | None:
    """Take the elements at the positions where the mask is true."""
    value = context.value(mask)
    core, numpy = context.importing("mlx.core", "mx"), context.importing("numpy", "np")
    if core is None or numpy is None or not all(is_mask(value) for value in context.alternatives(mask)):
        return None
    (mx, _), (np, imports) = core, numpy
    assignment = context.parent(node)
    if isinstance(assignment, cst.Assign):
        target = assignment.targets[0].target
        if isinstance(target, cst.Subscript):
            return _chosen(assignment, target, node, mx, context)
    rank = 1 if isinstance(value, Sequence) else getattr(value, "rank", None)
    if rank == 1 or (rank is None and len(node.slice) > 1):
        index = f"{mx}.array({np}.flatnonzero({np}.array({context.text(mask)})))"
    elif len(node.slice) == 1:
        index = f"tuple(map({mx}.array, {np}.nonzero({np}.array({context.text(mask)}))))"
    else:
        return None
    edit = Replace(mask, index)
    return NodeFix("Read the positions that NumPy finds in the mask", [*imports, edit], Applicability.UNSAFE)


def _chosen(
    assignment: cst.Assign, target: cst.Subscript, read: cst.Subscript, mx: str, context: Context
) -> NodeFix | None:
    """``x[mask] = y[mask]`` as a choice between ``x`` and ``y``."""
    same = is_same(target.slice[0], read.slice[0], context) and len(target.slice) == len(read.slice) == 1
    if not same or len(assignment.targets) > 1 or not isinstance(target.value, cst.Name):
        return None
    mask, x = context.text(read.slice[0]), target.value.value
    text = f"{x} = {mx}.where({mask}, {operand(read.value, context)}.astype({x}.dtype), {x})"
    return NodeFix("Choose with `where`", [Replace(assignment, text)], Applicability.UNSAFE)


def is_mask(value: Value) -> bool:
    """Whether every alternative of a value is a boolean array, or a list of bools."""
    return all(_boolean(member) for member in members(value))


def _boolean(value: Value) -> bool:
    if isinstance(value, (Array, Foreign)):
        dtype: str | None = value.dtype
        return dtype in ("bool_", "bool")
    if isinstance(value, Sequence) and value.kind == "list" and value.items:
        return all(
            getattr(item, "value", None) in (True, False) and isinstance(getattr(item, "value", None), bool)
            for item in value.items
        )
    return False
