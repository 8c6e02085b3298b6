from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, as_array
from mlxlint.rule import Evidence, Kind, Severity, agrees, differs

from ._compile import Compiled, CompiledRule


class ShapelessOnShape(CompiledRule):
    """A function compiled with `shapeless=True` reads the shape of its input

    ## What it does
    Finds `x.shape[i]`, `x.size` and `len(x)` of an argument in functions compiled with `shapeless=True`, except of
    axes that a constant shape fixes.

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


def _is_parameter(node: cst.BaseExpression, parameters: set[str], context: Context) -> bool:
    if not isinstance(node, cst.Name) or node.value not in parameters:
        return False
    array = as_array(context.value(node))
    return array is None or isinstance(array, Array)
