from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

EQUAL = "mlx.core.equal"


class ElementwiseEqual(Rule):
    """`mx.equal` as a condition

    ## What it does
    Finds `mx.equal(a, b)` as the condition of `if`, `while`, `assert`, `not`, `and`, `or` and `bool()`.

    ## PyTorch and MLX
    `torch.equal` says with one bool whether two tensors are of one shape and alike. `mx.equal` compares elementwise, as
    `torch.eq` does; its result is neither true nor false when it has several elements (`ValueError`). The function for
    whole arrays is `mx.array_equal`.

    ## Example
    ```python
    import mlx.core as mx

    a, b = mx.array([1, 2]), mx.array([1, 2])
    assert mx.equal(a, b)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a, b = mx.array([1, 2]), mx.array([1, 2])
    assert mx.array_equal(a, b)
    ```

    ## Fix safety
    Safe: it is what the condition asks for.

    ## References
    - [array_equal](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array_equal.html)
    """

    code = "MLX421"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`mx.equal` compares elementwise, and several elements are neither true nor false: use `mx.array_equal`"
    calls = frozenset({"equal"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != EQUAL or not _is_condition(node, context):
            return
        if any(arg.star for arg in node.args):
            return  # most often a shape's sizes, which are numbers
        result = context.array(node)
        if result is not None and result.shape is not None and all(size == 1 for size in result.shape):
            return
        context.report(self, node, fix=_fix(node, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        a = mx.array([1, 2])
        return Evidence(raises(lambda: mx.array(bool(mx.equal(a, a))), ValueError), agrees(mx.array_equal(a, a), True))


def _is_condition(node: cst.CSTNode, context: Context) -> bool:
    """Whether Python asks an expression whether it is true."""
    parent = context.parent(node)
    if isinstance(parent, (cst.If, cst.While, cst.Assert, cst.IfExp, cst.CompIf)):
        return parent.test is node
    if isinstance(parent, cst.UnaryOperation):
        return isinstance(parent.operator, cst.Not)
    if isinstance(parent, cst.BooleanOperation):
        return parent.left is node or _is_condition(parent, context)
    call = context.parent(parent) if isinstance(parent, cst.Arg) else None
    return isinstance(call, cst.Call) and context.callee(call) == "builtins.bool"


def _fix(node: cst.Call, context: Context) -> NodeFix | None:
    if not isinstance(node.func, cst.Attribute) or len(node.args) != 2 or any(arg.keyword for arg in node.args):
        return None
    return NodeFix("Compare the whole arrays", [Replace(node.func.attr, "array_equal")])
