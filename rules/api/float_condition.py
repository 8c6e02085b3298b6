from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import Array
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, agrees, shown
from mlxlint.rules._operations import operation, produced_by

_ZEROS_AND_ONES = ("tril", "triu", "tri", "ones", "zeros", "eye", "ones_like", "zeros_like", "astype")
_SAME_VALUES = frozenset(
    """__getitem__ broadcast_to expand_dims flatten moveaxis repeat reshape squeeze swapaxes tile transpose""".split()
)


class FloatCondition(Rule):
    """A floating-point condition for `mx.where`

    ## What it does
    Finds `mx.where` whose condition is an array of floating point that is not known to hold only zeros and ones.

    ## PyTorch and MLX
    `torch.where` demands a boolean condition. `mx.where` takes any and reads everything but zero as true: an
    additive mask of 0 and -inf selects the opposite of what it masks.

    ## Example
    ```python
    import mlx.core as mx

    bias = mx.array([0.0, -1e4])
    kept = mx.where(bias, mx.array([1.0, 2.0]), 0.0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    bias = mx.array([0.0, -1e4])
    kept = mx.where(bias == 0, mx.array([1.0, 2.0]), 0.0)
    ```

    ## Fix safety
    Unsafe: states what MLX does, which may not be what was meant.

    ## References
    - [mlx.core.where](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.where.html)
    """

    code = "MLX473"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{condition}` is of {dtype}: `mx.where` reads everything but zero in it as true"
    calls = frozenset({"where"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.where" or len(node.args) < 3:
            return
        condition = context.argument(node, 0, "condition")
        array = context.array(condition)
        if condition is None or array is None or array.dtype not in dtypes.FLOATS or _is_zero_or_one(array, context):
            return
        if _asks_for_dtype(node, condition, context):
            return
        simple = isinstance(condition, (cst.Name, cst.Attribute, cst.Call, cst.Subscript))
        fix = (
            NodeFix("Compare with zero", [Insert(condition, " != 0", after=True)], Applicability.UNSAFE)
            if simple
            else None
        )
        context.report(self, node, because=[condition], condition=context.brief(condition), dtype=array.dtype, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        bias = mx.array([0.0, -1e4])
        picked = mx.where(bias, 1.0, 0.0).tolist()
        return Evidence(
            shown(picked == [0.0, 1.0], f"where of an additive mask: {picked}"),
            agrees(mx.where(bias == 0, 1.0, 0.0), [1, 0]),
        )


def _is_zero_or_one(array: Array | None, context: Context, depth: int = 8) -> bool:
    """Whether an array is made of zeros and ones, or is a part or another shape of such a one."""
    if array is None or depth == 0:
        return False
    if produced_by(array, *_ZEROS_AND_ONES):
        return True
    return _is_zero_or_one(context.array(_subject(array.node, context)), context, depth - 1)


def _subject(node: cst.CSTNode | None, context: Context) -> cst.BaseExpression | None:
    """What a subscript or a call of an operation that keeps values is applied to."""
    if isinstance(node, cst.Subscript):
        return node.value
    found = operation(node, context, _SAME_VALUES) if isinstance(node, cst.Call) else None
    return None if found is None else found.subject


def _asks_for_dtype(node: cst.Call, condition: cst.BaseExpression, context: Context) -> bool:
    """Whether a branch around the call looks at the condition's dtype first."""
    asked = f"{context.text(condition)}.dtype"
    branches = (a for a in context.ancestors(node) if isinstance(a, (cst.If, cst.IfExp)))
    return any(asked in context.text(branch.test) for branch in branches)
