from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.dtypes import INTEGERS
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Array, as_array
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

from ..lazy._captured import free_paths
from ._vjp import registered

_FIXED = frozenset(f"mlx.core.{name}" for name in ("array", "arange", "zeros", "ones", "full", "eye", "linspace"))


class CustomGradientOfCapture(Rule):
    """A function with its own gradient uses an array that it is not given

    ## What it does
    Finds functions decorated with `mx.custom_function`, with a vjp of their own, that read arrays from around them:
    parameters, attributes of `self`, arrays of an enclosing function.

    ## PyTorch and MLX
    An `autograd.Function` too gets gradients for what `apply` was given only; PyTorch code therefore passes the
    weights. In MLX a vjp replaces all of the function's differentiation: an array that it captures gets a gradient of
    zero, without an error. Give the array as an argument, and its gradient in the vjp.

    ## Example
    ```python
    import mlx.core as mx


    def loss(w: mx.array, x: mx.array):
        @mx.custom_function
        def scaled(x):
            return x * w

        @scaled.vjp
        def scaled_vjp(x, cotangent, output):
            return cotangent * w

        return scaled(x).sum()
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.custom_function
    def scaled(x, w):
        return x * w


    @scaled.vjp
    def scaled_vjp(primals, cotangent, output):
        x, w = primals
        return cotangent * w, cotangent * x


    def loss(w: mx.array, x: mx.array):
        return scaled(x, w).sum()
    ```

    ## References
    - [custom_function](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.custom_function.html)
    """

    code = "MLX804"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{array}` gets no gradient through `{function}`, whose vjp covers its arguments only"
    functions = frozenset({"@"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        found = registered(node, context)
        code = context.module.functions.get(found.custom) if found is not None and found.how == "vjp" else None
        if code is None:
            return
        outside = free_paths(code)
        for part in walk(code.node.body):
            if not isinstance(part, (cst.Name, cst.Attribute)):
                continue
            path, array = dotted(part), as_array(context.value(part))
            if array is not None and path is not None and path in outside and _may_be_trained(path, array, code):
                context.report(self, part, because=[part], array=path, function=code.name, confidence=Confidence.LIKELY)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def gradient(captured: bool) -> mx.array:
            def loss(w: mx.array) -> mx.array:
                x = mx.ones((2,))
                if captured:
                    scaled = mx.custom_function(lambda x: x * w)
                    scaled.vjp(lambda x, cotangent, output: cotangent * w)
                    return scaled(x).sum()
                scaled = mx.custom_function(lambda x, w: x * w)
                scaled.vjp(lambda primals, cotangent, output: (cotangent * primals[1], cotangent * primals[0]))
                return scaled(x, w).sum()

            return mx.grad(loss)(mx.array([2.0, 3.0]))

        return Evidence(differs(gradient(True), [1.0, 1.0]), agrees(gradient(False), [1.0, 1.0]))


def _may_be_trained(path: str, array: Array, code: FunctionCode) -> bool:
    """Whether an array is a module's parameter, or comes from a function around: what gradients are taken of.

    One that is hidden by an underscore is no parameter, and one of integers, or made there of plain numbers, has no
    gradient.
    """
    if array.dtype in (*INTEGERS, "bool_") or "._" in path:
        return False
    return array.parameter or (array.op not in _FIXED and any(path in scope for scope in code.scopes))
