from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._vjp import positional, registered, takes_any


class CustomGradientIncomplete(Rule):
    """A custom vjp returns `None` for an argument, or fewer gradients than there are arguments

    ## What it does
    Finds functions registered with `@f.vjp` on an `mx.custom_function` that return `None` among the gradients, or
    a tuple with fewer gradients than `f` has arguments.

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

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        found = registered(node, context) if node.decorators else None
        if found is None or found.how != "vjp" or takes_any(found.custom):
            return
        arguments = [parameter.name.value for parameter in positional(found.custom)]
        for part in context.walk(node.body):
            if not isinstance(part, cst.Return) or not isinstance(part.value, (cst.Tuple, cst.List)):
                continue
            given = [element.value for element in part.value.elements]
            if any(isinstance(element, cst.StarredElement) for element in part.value.elements):
                continue
            absent = [n for n, value in zip(arguments, given) if isinstance(value, cst.Name) and value.value == "None"]
            absent += arguments[len(given) :]
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
