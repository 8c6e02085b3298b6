from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._vjp import Registered, positional, registered, takes_any

_TAKEN = {"vjp": 3, "jvp": 2, "vmap": 2}


class CustomGradientSignature(Rule):
    """A custom vjp takes its arguments in another form than MLX passes them

    ## What it does
    Finds functions registered with `@f.vjp`, `@f.jvp` or `@f.vmap` on an `mx.custom_function` that take another number
    of arguments than MLX passes, and a vjp of a function of one argument that takes the first element of its primals.

    ## PyTorch and MLX
    A vjp is called with the primals, the cotangents and the outputs. These are tuples where there are several, and bare
    arrays where there is one: `x, = primals` or `primals[0]` is then the first row of the argument, and the gradient is
    wrong without an error. Another number of arguments raises `TypeError` when the gradient is taken.

    ## Example
    ```python
    import mlx.core as mx


    @mx.custom_function
    def square(x):
        return x * x


    @square.vjp
    def square_vjp(primals, cotangent, output):
        x = primals[0]
        return 2 * x * cotangent
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.custom_function
    def square(x):
        return x * x


    @square.vjp
    def square_vjp(x, cotangent, output):
        return 2 * x * cotangent
    ```

    ## References
    - [custom_function](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.custom_function.html)
    """

    code = "MLX801"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "`{function}` has one argument, which `{primals}` is itself: this takes its first row"
    functions = frozenset({"@"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        found = registered(node, context)
        if found is None or takes_any(node):
            return
        names = found.parameters()
        required = sum(parameter.default is None for parameter in positional(node))
        if not required <= _TAKEN[found.how] <= len(names):
            context.report(
                self, node.name, template="a `{how}` is called with {taken} arguments, and this takes {count}",
                how=found.how, taken=_TAKEN[found.how], count=len(names),
            )  # fmt: skip
            return
        one = len(positional(found.custom)) == 1 and not takes_any(found.custom)
        for part in _firsts(found, names[0], context) if one and found.how == "vjp" else ():
            context.report(self, part, function=found.custom.name.value, primals=names[0])

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def gradient(first: bool) -> list[float]:
            def backward(primals: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
                return 2 * (primals[0] if first else primals) * cotangent

            square = mx.custom_function(lambda x: x * x)
            square.vjp(backward)
            return list(mx.grad(lambda x: square(x).sum())(mx.array([1.0, 2.0, 3.0])).tolist())

        expected = [2.0, 4.0, 6.0]
        return Evidence(differs(gradient(True), expected), agrees(gradient(False), expected))


def _firsts(found: Registered, primals: str, context: Context) -> Iterator[cst.CSTNode]:
    """Where a function takes its first argument apart."""
    for part in context.walk(found.function.body):
        if isinstance(part, cst.Subscript) and isinstance(part.value, cst.Name) and part.value.value == primals:
            index = part.slice[0].slice
            if len(part.slice) == 1 and isinstance(index, cst.Index) and constant(context.value(index.value), int) == 0:
                if not _asks_dtype(part, context) and not _is_asked_for(part, primals, context):
                    yield part
        elif isinstance(part, cst.Assign) and isinstance(part.value, cst.Name) and part.value.value == primals:
            target = part.targets[0].target
            if isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) == 1:
                yield part


def _is_asked_for(node: cst.CSTNode, primals: str, context: Context) -> bool:
    """Whether a place is reached only where a test of the class says that there are several."""
    tests = (each.test for each in context.ancestors(node) if isinstance(each, (cst.If, cst.IfExp)))
    asked = (test for test in tests if isinstance(test, cst.Call) and dotted(test.func) == "isinstance" and test.args)
    return any(dotted(test.args[0].value) == primals for test in asked)


def _asks_dtype(row: cst.Subscript, context: Context) -> bool:
    """Whether a row is only asked for its dtype, which is that of the whole."""
    above = context.parent(row)
    return isinstance(above, cst.Attribute) and above.attr.value == "dtype"
