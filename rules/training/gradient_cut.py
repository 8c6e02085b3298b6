from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Array, Name, Value, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._gradients import differentiated_functions, is_differentiated

READS = frozenset({"mlx.core.array.item", "mlx.core.array.tolist"})
NUMBERS = frozenset({"mlx.core.array.item", "builtins.float"})
CONVERTS = frozenset({"builtins.float", "numpy.array", "numpy.asarray", "numpy.float32"})


class GradientCut(Rule):
    """A value leaves MLX and comes back as a constant: its gradient is zero

    ## What it does
    Finds `mx.array(...)` of what was taken out of an MLX array by `item()`, `tolist()`, `float()` or `np.array()`.
    In a layer's forward pass and in differentiated functions it is a warning, elsewhere and for what a method was
    given itself a note. Indices, which have no gradient anyway, are left alone. In differentiated functions, terms
    that are added as numbers are found too: `loss + weight * penalty.item()`.

    ## PyTorch and MLX
    A tensor that requires a gradient refuses `.numpy()`. MLX evaluates the array in the middle of a differentiated
    function and goes on with a constant: everything before it gets a gradient of zero, without an error.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np


    def loss(w):
        y = mx.exp(w)
        return mx.array(np.log1p(np.array(y))).sum()


    gradient = mx.grad(loss)(mx.array([1.0, 2.0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(w):
        y = mx.exp(w)
        return mx.log1p(y).sum()


    gradient = mx.grad(loss)(mx.array([1.0, 2.0]))
    ```

    ## References
    - [Function transforms](https://ml-explore.github.io/mlx/build/html/usage/function_transforms.html)
    """

    code = "MLX221"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"array", "item", "float"})
    message = "`{value}` takes the values of `{source}` out of MLX: no gradient flows through it"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee in NUMBERS:
            self._check_term(node, context)
        if callee != "mlx.core.array" or not node.args:
            return
        made = as_array(context.value(node))
        if made is not None and made.dtype is not None and not made.dtype.startswith(("float", "bfloat", "complex")):
            return
        source = next(_taken_out(node.args[0].value, context), None)
        code = context.enclosing_function(node)
        if source is None or code is None or _is_index(node, context):
            return
        differentiated = is_differentiated(code, context) and not _is_given_to_method(source, code)
        context.report(
            self,
            node,
            because=[source],
            severity=Severity.WARNING if differentiated else Severity.INFO,
            value=context.brief(node),
            source=context.brief(source),
        )

    def _check_term(self, node: cst.Call, context: Context) -> None:
        """Report a number that is a term of what a function returns to be differentiated."""
        source = next(_taken_out(node, context), None)
        array = None if source is None else context.array(source)
        if source is None or array is None or array.op is None or not _is_term(node, context):
            return
        code = context.enclosing_function(node)
        if code is not None and any(code is found for found in differentiated_functions(context)):
            context.report(
                self, node, because=[source], value=context.brief(node), source=context.brief(source)
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import numpy as np

        w = mx.array([1.0, 2.0])
        cut = mx.grad(lambda w: mx.array(np.exp(np.array(w))).sum())(w)
        return Evidence(differs(cut, mx.exp(w)), agrees(mx.grad(lambda w: mx.exp(w).sum())(w), mx.exp(w)))


def _is_term(node: cst.BaseExpression, context: Context) -> bool:
    """Whether a number, or a product with it, is added to an array or taken from it."""
    parent = context.parent(node)
    while isinstance(parent, (cst.BinaryOperation, cst.UnaryOperation)):
        if context.array(parent) is not None:
            return isinstance(parent, cst.BinaryOperation) and isinstance(parent.operator, (cst.Add, cst.Subtract))
        parent = context.parent(parent)
    return False


def _taken_out(node: cst.CSTNode, context: Context) -> Iterator[cst.BaseExpression]:
    """The float arrays whose values an expression takes out of MLX."""
    for part in tree.walk(node, (cst.Lambda,)):
        if not isinstance(part, cst.Call):
            continue
        called = context.called(part)
        name = called.name if isinstance(called, Name) else None
        if (
            name in READS
            and isinstance(part.func, cst.Attribute)
            and _may_have_gradient(context.value(part.func.value))
        ):
            yield part.func.value
        elif name in CONVERTS and part.args and _may_have_gradient(context.value(part.args[0].value)):
            yield part.args[0].value


def _may_have_gradient(value: Value) -> bool:
    array: Array | None = as_array(value)
    return array is not None and (array.dtype is None or array.dtype.startswith(("float", "bfloat")))


def _is_index(node: cst.CSTNode, context: Context) -> bool:
    return isinstance(context.parent(node), (cst.Index, cst.SubscriptElement))


def _is_given_to_method(source: cst.BaseExpression, code: FunctionCode) -> bool:
    """Whether this is what a method was called with, or a part of it: an image and a schedule lose no gradient."""
    while isinstance(source, cst.Subscript):
        source = source.value
    given = {param.name.value for param in code.parameters}
    return code.owner is not None and isinstance(source, cst.Name) and source.value in given
