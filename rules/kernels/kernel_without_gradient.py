from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Instance
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, raises

from ..training._gradients import differentiated_functions
from ._custom import elementwise

_KERNEL = "mlx.core.fast.kernel"


class KernelWithoutGradient(Rule):
    """A custom kernel is differentiated, and has no gradient

    ## What it does
    Finds calls of kernels made by `mx.fast.metal_kernel` or `mx.fast.cuda_kernel` in functions that this file hands to
    `mx.grad` and its like, or that these call, outside of an `mx.custom_function`.

    ## PyTorch and MLX
    A kernel in PyTorch is wrapped in an `autograd.Function`. In MLX it is wrapped in an `mx.custom_function` with a
    vjp: differentiating the kernel itself raises.

    ## Example
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="doubled",
        input_names=["x"],
        output_names=["y"],
        source="uint i = thread_position_in_grid.x; y[i] = x[i] * 2;",
    )


    def loss(x):
        (y,) = kernel(
            inputs=[x], grid=(4, 1, 1), threadgroup=(4, 1, 1), output_shapes=[(4,)], output_dtypes=[mx.float32]
        )
        return y.sum()


    gradient = mx.grad(loss)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    kernel = mx.fast.metal_kernel(
        name="doubled",
        input_names=["x"],
        output_names=["y"],
        source="uint i = thread_position_in_grid.x; y[i] = x[i] * 2;",
    )


    @mx.custom_function
    def doubled(x):
        return kernel(
            inputs=[x], grid=(4, 1, 1), threadgroup=(4, 1, 1), output_shapes=[(4,)], output_dtypes=[mx.float32]
        )[0]


    @doubled.vjp
    def doubled_vjp(x, cotangent, output):
        return cotangent * 2


    gradient = mx.grad(lambda x: doubled(x).sum())
    ```

    ## References
    - [Custom Metal kernels: grid sample VJP](https://ml-explore.github.io/mlx/build/html/dev/custom_metal_kernels.html#grid-sample-vjp)
    """

    code = "MLX810"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "a custom kernel has no gradient, and `{function}` is differentiated: wrap it in `mx.custom_function`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        if not isinstance(called, Instance) or called.type != _KERNEL:
            return
        code = context.enclosing_function(node)
        if code is None or _is_wrapped(node, context):
            return
        if any(code is found for found in context.shared(_differentiated, context.tree)):
            context.report(self, node, function=code.name, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        doubled, x = elementwise("y[i] = x[i] * 2;"), mx.ones((4,))
        hazard = raises(lambda: mx.grad(lambda x: doubled(x).sum())(x))
        wrapped = mx.custom_function(doubled)
        wrapped.vjp(lambda x, cotangent, output: cotangent * 2)
        return Evidence(hazard, agrees(mx.grad(lambda x: wrapped(x).sum())(x), [2.0] * 4))


def _differentiated(tree: cst.CSTNode, context: Context) -> list[FunctionCode]:
    return differentiated_functions(context)


def _is_wrapped(node: cst.Call, context: Context) -> bool:
    """Whether a function around a call is an `mx.custom_function`."""
    around = (a for a in context.ancestors(node) if isinstance(a, cst.FunctionDef))
    return any(
        context.qualified(decorator.decorator) == "mlx.core.custom_function"
        for function in around
        for decorator in function.decorators
    )
