from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from .._operations import bare
from ._layouts import operand

_AND = frozenset({"multiply", "logical_and", "bitwise_and", "minimum"})
_PASSING = frozenset({"astype", "reshape", "expand_dims", "broadcast_to", "__getitem__", "squeeze"})
_DEPTH = 6


class RowsMaskedWhole(Rule):
    """A mask of minus infinity hides whole rows

    ## What it does
    Finds additive masks with minus infinity where a padding mask excludes the row or the column:
    `valid[:, :, None] & valid[:, None, :]`.

    ## PyTorch and MLX
    The rows of padded queries have minus infinity everywhere. PyTorch's `scaled_dot_product_attention` gives zeros for
    such rows; in MLX's fused one, and in a softmax of either library, they are NaN. Where the rows are thrown away
    afterwards the result is right, but the gradients of all parameters are NaN. A boolean mask gives neither; or put a
    large finite number there.

    ## Example
    ```python
    import mlx.core as mx

    valid = mx.array([[True, True, False]])
    mask = mx.where(valid[:, :, None] & valid[:, None, :], 0.0, -mx.inf)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    valid = mx.array([[True, True, False]])
    mask = mx.where(valid[:, :, None] & valid[:, None, :], 0.0, -1e4)
    ```

    ## References
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX397"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"where"})
    message = "rows that `{mask}` excludes are minus infinity throughout: their softmax is NaN, and so are gradients"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.where":
            return
        mask = context.argument(node, 0, "condition")
        choices = [context.argument(node, 1, "x"), context.argument(node, 2, "y")]
        infinite = next((found for one in choices if one and (found := _minus_infinity(one, context))), None)
        if not any(one and _is_zero(one, context) for one in choices):
            return  # scores, which may go elsewhere than to a softmax
        pair = None if mask is None or infinite is None else _outer(mask, context)
        if mask is not None and infinite is not None and pair is not None:
            context.report(
                self, infinite, because=[("the mask excludes rows and columns here", pair)],
                confidence=Confidence.LIKELY, mask=context.brief(mask),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        valid = mx.array([True, True, False])
        seen = valid[:, None] & valid[None, :]

        def has_nan(fill: float) -> bool:
            mask = mx.where(seen, 0.0, fill)

            def loss(q: mx.array) -> mx.array:
                out = mx.fast.scaled_dot_product_attention(q, q, q, scale=1.0, mask=mask)
                return out[:, :, :2].sum()  # the padded row is thrown away

            return bool(mx.isnan(mx.grad(loss)(mx.ones((1, 1, 3, 4)))).any().item())

        hazard = shown(has_nan(-mx.inf), "the gradient with -inf is NaN")
        return Evidence(hazard, shown(not has_nan(-1e4), "with -1e4 it is finite"))


def _minus_infinity(node: cst.BaseExpression, context: Context) -> cst.CSTNode | None:
    """The expression that makes a fill value minus infinity: itself, or where the name it stands for was given it."""
    if _is_minus_infinity(node, context):
        return node
    array = context.array(node)
    made = node if isinstance(node, cst.Call) else None if array is None else array.node
    if not isinstance(made, cst.Call) or context.callee(made) not in ("mlx.core.array", "mlx.core.full"):
        return None
    given = made.args[-1 if context.callee(made) == "mlx.core.full" and len(made.args) == 2 else 0].value
    return made if _is_minus_infinity(given, context) and context.parent(made) else None


def _is_zero(node: cst.BaseExpression, context: Context) -> bool:
    made = getattr(context.array(node), "node", None) or node
    if isinstance(made, cst.Call) and made.args and context.callee(made) == "mlx.core.array":
        return _is_zero(made.args[0].value, context)
    return bool(constant(context.value(node), (int, float)) == 0)


def _is_minus_infinity(node: cst.BaseExpression, context: Context) -> bool:
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Minus) and dotted(node.expression):
        return (dotted(node.expression) or "").endswith(".inf")
    return bool(constant(context.value(node), float) == float("-inf"))


def _outer(node: cst.BaseExpression, context: Context) -> cst.CSTNode | None:
    """Where one mask, spread along two axes, is joined with itself."""
    made: cst.CSTNode | None = node
    for _ in range(_DEPTH):
        array = context.array(made) if isinstance(made, cst.BaseExpression) else None
        if isinstance(made, cst.Name):
            made = None if array is None else array.node
        if isinstance(made, cst.UnaryOperation):
            made = made.expression
            continue
        if isinstance(made, cst.BinaryOperation):
            joins = isinstance(made.operator, (cst.Multiply, cst.BitAnd))
            return made if joins and _are_of_one_mask(made.left, made.right, context) else None
        name = "" if array is None or array.op is None else array.op.rpartition(".")[2]
        if isinstance(made, cst.Call) and name in _AND and len(made.args) == 2:
            return made if _are_of_one_mask(made.args[0].value, made.args[1].value, context) else None
        if name not in _PASSING:
            return None
        made = made.value if isinstance(made, cst.Subscript) else operand(made, context)  # type: ignore[arg-type]
    return None


def _are_of_one_mask(left: cst.BaseExpression, right: cst.BaseExpression, context: Context) -> bool:
    """Whether two expressions spread the same array along different axes."""
    a, b = _spread(left, context), _spread(right, context)
    return a is not None and b is not None and a[0] == b[0] and a[1] != b[1]


def _spread(node: cst.BaseExpression, context: Context) -> tuple[str, str] | None:
    """What is given a new axis, and how that is written."""
    if isinstance(node, cst.Name):
        array = context.array(node)
        node = array.node if array is not None and isinstance(array.node, cst.BaseExpression) else node
    if isinstance(node, cst.Subscript) and "None" in (index := bare(node, context)):
        return bare(node.value, context), index
    if isinstance(node, cst.Call) and (context.callee(node) or "").endswith(".expand_dims"):
        subject = operand(node, context)
        return None if subject is None else (bare(subject, context), bare(node, context))
    return None
