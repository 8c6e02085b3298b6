from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Array, Name
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    raises,
)
from mlxlint.rules._operations import is_same
from mlxlint.rules.indexing.boolean_mask_read import is_mask

GRADIENTS = frozenset({"mlx.core.grad", "mlx.core.value_and_grad", "mlx.nn.value_and_grad", "mlx.core.vjp"})


class MaskAssignmentGradient(Rule):
    """Assigning through a mask that depends on what is differentiated

    ## What it does
    Finds `x[x < limit] = v` in a layer or in a function of `x`, in a file that takes gradients.

    ## PyTorch and MLX
    PyTorch detaches masks. In MLX the gradient of an assignment through a mask asks for the gradient of the mask,
    which does not exist: `ValueError: Cannot calculate VJP with respect to mask`. `mx.where` has no such trouble.

    ## Example
    ```python
    import mlx.core as mx


    def loss(x: mx.array):
        x = x * 2
        x[x < 0.5] = 0.0
        return x.sum()


    gradient = mx.grad(loss)(mx.array([0.1, 1.0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(x: mx.array):
        x = x * 2
        x = mx.where(x < 0.5, 0.0, x)
        return x.sum()


    gradient = mx.grad(loss)(mx.array([0.1, 1.0]))
    ```

    ## Fix safety
    Unsafe: the name is bound to a new array, so other names of the old one do not see the change.

    ## References
    - [Function transforms](https://ml-explore.github.io/mlx/build/html/usage/function_transforms.html)
    """

    code = "MLX113"
    kind = Kind.CRASH
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{target}` has no gradient in MLX: its mask depends on `{array}` itself"
    targets = frozenset({cst.Subscript})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Subscript) or len(target.slice) != 1 or len(node.targets) != 1:
            return
        index = target.slice[0].slice
        array = context.array(target.value)
        if array is None or not isinstance(index, cst.Index) or not is_mask(context.value(index.value)):
            return
        mask = context.array(index.value)
        if mask is None or not _depends(mask, target.value, context) or not _is_differentiated(node, array, context):
            return
        name, mx = dotted(target.value), context.alias("mlx.core")
        text = f"{name} = {mx}.where({context.text(index.value)}, {context.text(node.value)}, {name})"
        fix = NodeFix("Choose with `where`", [Replace(node, text)], Applicability.UNSAFE) if name and mx else None
        context.report(
            self, node, because=[index.value], confidence=Confidence.LIKELY, fix=fix,
            target=context.brief(target), array=context.brief(target.value),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def assigned(x: mx.array) -> mx.array:
            y = x * 2
            y[y < 0.5] = 0.0
            return y.sum()

        def chosen(x: mx.array) -> mx.array:
            y = x * 2
            return mx.where(y < 0.5, 0.0, y).sum()

        x = mx.array([0.1, 1.0])
        return Evidence(
            raises(lambda: mx.grad(assigned)(x), ValueError, text="mask"), agrees(mx.grad(chosen)(x), [0.0, 2.0])
        )


def _depends(mask: Array, array: cst.BaseExpression, context: Context) -> bool:
    """Whether a mask is a comparison of the array that is assigned to."""
    return isinstance(mask.node, cst.Comparison) and any(
        is_same(part, array, context) for part in walk(mask.node) if isinstance(part, cst.BaseExpression)
    )


def _is_differentiated(node: cst.CSTNode, array: Array, context: Context) -> bool:
    """Whether the array is computed in a function, in a file that takes gradients; a parameter may be mere data."""
    if context.enclosing_function(node) is None or array.op in ("annotation", "parameter", None):
        return False
    called = {value.name for value in context.module.calls.values() if isinstance(value, Name)}
    return bool(called & GRADIENTS)
