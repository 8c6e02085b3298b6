from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, Array, as_array, constant
from mlxlint.rule import Evidence, Kind, Severity, agrees, differs

from ._compile import Compiled, CompiledRule

_MADE = frozenset({"zeros", "ones", "full"})
_DIAGONAL = frozenset({"tril", "triu", "diag", "diagonal", "trace"})
_KEPT = "`{what}` keeps the size of the first call: `{function}` is compiled with `shapeless=True`"
_ATTENTION = "fast.scaled_dot_product_attention"


class ShapelessOnShape(CompiledRule):
    """A function compiled with `shapeless=True` reads the shape of its input

    ## What it does
    Finds what depends on sizes in functions compiled with `shapeless=True`: `x.shape[i]`, `x.size` and `len(x)` of an
    argument, except of the last axis, arrays made in the shape of one, negative indices, `tril`, `triu`, `diag`,
    `trace`, `squeeze()` without an axis, and causal masks.

    ## PyTorch and MLX
    With `shapeless=True` the function is not traced again for another shape. Its Python code runs once: sizes that
    it reads, the loops and branches built on them, and the arrays made with them stay those of the first call. The
    results for other shapes are wrong, or memory is read beyond its end.

    ## Example
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, shapeless=True)
    def mean(x: mx.array):
        return mx.sum(x, axis=0) / x.shape[0]
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, shapeless=True)
    def mean(x: mx.array):
        return mx.mean(x, axis=0)
    ```

    ## References
    - [Shapeless compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html#shapeless-compilation)
    """

    code = "MLX517"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{what}` is read once, in the first call: `{function}` is compiled with `shapeless=True`"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module or not compiled.is_shapeless(context):
            return
        parameters = {parameter.name.value for parameter in compiled.code.parameters}
        for node in _sizes(compiled.code.node, parameters, context):
            context.report(self, node, what=context.brief(node), function=compiled.code.name)
        for node in _fixed(compiled.code.node, context):
            context.report(self, node, template=_KEPT, what=context.brief(node), function=compiled.code.name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        flagged = mx.compile(lambda x: x.sum() / x.shape[0], shapeless=True)
        right = mx.compile(lambda x: x.mean(), shapeless=True)
        for compiled in (flagged, right):
            mx.eval(compiled(mx.ones((2,))))
        return Evidence(differs(flagged(mx.ones((4,))), 1.0), agrees(right(mx.ones((4,))), 1.0))


def _sizes(function: cst.FunctionDef | cst.Lambda, parameters: set[str], context: Context) -> Iterator[cst.CSTNode]:
    """Expressions for sizes of a function's own arguments, apart from the last axis, which seldom varies."""
    for node in context.walk(function.body):
        if (
            isinstance(node, cst.Subscript)
            and isinstance(node.value, cst.Attribute)
            and node.value.attr.value == "shape"
        ):
            index = node.slice[0].slice
            last = isinstance(index, cst.Index) and context.text(index.value) == "-1"
            if not last and not isinstance(index, cst.Slice) and _is_parameter(node.value.value, parameters, context):
                yield node
        elif (
            isinstance(node, cst.Attribute)
            and node.attr.value == "size"
            and _is_parameter(node.value, parameters, context)
        ):
            yield node
        elif isinstance(node, cst.Call) and context.callee(node) == "builtins.len" and node.args:
            if _is_parameter(node.args[0].value, parameters, context):
                yield node


def _fixed(function: cst.FunctionDef | cst.Lambda, context: Context) -> Iterator[cst.CSTNode]:
    """Operations that keep the sizes of the first call without naming one."""
    for node in context.walk(function.body):
        if isinstance(node, cst.Call):
            name = (context.callee(node) or "").removeprefix("mlx.core.array.").removeprefix("mlx.core.")
            if name in _MADE and _is_shape(context.argument(node, 0, "shape"), context):
                yield node
            elif name in _DIAGONAL or (name == "squeeze" and not _has_axis(node, context)):
                if context.value(node) is not UNKNOWN:
                    yield node
            elif name == _ATTENTION and constant(context.value(context.argument(node, None, "mask")), str) == "causal":
                yield node
        elif isinstance(node, cst.Subscript) and _counts_from_the_end(node) and context.array(node.value) is not None:
            yield node


def _is_shape(node: cst.BaseExpression | None, context: Context) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value == "shape" and context.array(node.value) is not None


def _has_axis(call: cst.Call, context: Context) -> bool:
    is_method = (context.callee(call) or "").startswith("mlx.core.array.")
    return context.argument(call, 0 if is_method else 1, "axis") is not None


def _counts_from_the_end(node: cst.Subscript) -> bool:
    """Whether the only index is a negative number: with several, the first call raises."""
    index = node.slice[0].slice if len(node.slice) == 1 else None
    value = index.value if isinstance(index, cst.Index) else None
    if not isinstance(value, cst.UnaryOperation) or not isinstance(value.operator, cst.Minus):
        return False
    return isinstance(value.expression, cst.Integer)


def _is_parameter(node: cst.BaseExpression, parameters: set[str], context: Context) -> bool:
    if not isinstance(node, cst.Name) or node.value not in parameters:
        return False
    array = as_array(context.value(node))
    return array is None or isinstance(array, Array)
