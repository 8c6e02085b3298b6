from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.dtypes import INTEGERS
from mlxlint.model.values import UNKNOWN, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._vjp import positional, registered, takes_any


class CustomGradientIncomplete(Rule):
    """A custom vjp returns `None` for an argument, or fewer gradients than there are arguments

    ## What it does
    Finds functions registered with `@f.vjp` on an `mx.custom_function` that return `None` among the gradients, or
    a tuple with fewer gradients than `f` has arguments. An argument with which `f` does not compute itself (a size or
    an option that it passes on) is left alone: numbers and integer arrays have no gradient.

    ## PyTorch and MLX
    In `torch.autograd.Function.backward`, `None` says that an argument needs no gradient. In MLX an argument for which
    nothing is returned gets the cotangent itself as its gradient: wrong numbers, without an error.

    ## Example
    ```python
    import mlx.core as mx


    @mx.custom_function
    def scale(x, w):
        return x * w


    @scale.vjp
    def scale_vjp(primals, cotangent, output):
        x, w = primals
        return cotangent * w, None
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.custom_function
    def scale(x, w):
        return x * w


    @scale.vjp
    def scale_vjp(primals, cotangent, output):
        x, w = primals
        return cotangent * w, mx.zeros_like(w)
    ```

    ## References
    - [custom_function](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.custom_function.html)
    """

    code = "MLX800"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = "the gradient of `{argument}` is not given, so that it gets the cotangent as it is"
    functions = frozenset({"@"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        found = registered(node, context)
        if found is None or found.how != "vjp" or takes_any(found.custom):
            return
        arguments = [parameter.name.value for parameter in positional(found.custom)]
        computed = _computed(found.custom, context)
        for part in context.walk(node.body):
            if not isinstance(part, cst.Return) or not isinstance(part.value, (cst.Tuple, cst.List)):
                continue
            given = [element.value for element in part.value.elements]
            if any(isinstance(element, cst.StarredElement) for element in part.value.elements):
                continue
            absent = [n for n, value in zip(arguments, given) if isinstance(value, cst.Name) and value.value == "None"]
            absent = [name for name in (*absent, *arguments[len(given) :]) if name in computed]
            if absent:
                context.report(self, part, argument=absent[0])

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def gradient(zeros: bool) -> list[float]:
            def backward(primals: list[mx.array], cotangent: mx.array, output: mx.array) -> object:
                w = primals[1]
                return cotangent * w, mx.zeros_like(w) if zeros else None

            scale = mx.custom_function(lambda x, w: x * w)
            scale.vjp(backward)
            found = mx.grad(lambda w: (7 * scale(mx.ones(3), w)).sum())(mx.array([2.0, 3.0, 4.0]))
            return list(found.tolist())

        return Evidence(differs(gradient(False), [0.0] * 3), agrees(gradient(True), [0.0] * 3))


def _computed(custom: cst.FunctionDef, context: Context) -> set[str]:
    """The names of what a function computes with as with arrays that have a gradient."""
    names = (part for part in context.walk(custom.body) if isinstance(part, cst.Name))
    return {name.value for name in names if _is_operand(name, context)}


def _is_operand(name: cst.Name, context: Context) -> bool:
    value = context.value(name)
    array = as_array(value)
    if array is not None:
        return array.dtype not in (*INTEGERS, "bool_")
    above = context.parent(name)
    while isinstance(above, (cst.Element, cst.List, cst.Tuple)):
        above = context.parent(above)
    if isinstance(above, cst.Arg):
        call = context.parent(above)
        of_mlx = isinstance(call, cst.Call) and (context.callee(call) or "").startswith("mlx.")
        return of_mlx if above.keyword is None else above.keyword.value == "inputs"
    return value is UNKNOWN and isinstance(above, (cst.BinaryOperation, cst.UnaryOperation, cst.Attribute))
