from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules.api._differentiated import differentiated

WITHOUT = frozenset(
    "mlx.core.linalg." + name
    for name in """svd eigh eigvalsh eigvals eig cholesky cholesky_inv inv tri_inv qr pinv lu lu_factor solve
    solve_triangular""".split()
) | {"mlx.core.array.view", "mlx.core.view"}


class UndifferentiableOperation(Rule):
    """An operation without a gradient in a differentiated function

    ## What it does
    Finds decompositions, inverses and solvers of `mx.linalg` (all but `norm`, `det` and `slogdet`) and `view` applied
    to what a function is differentiated for.

    ## PyTorch and MLX
    PyTorch differentiates these. MLX has no gradient for them: `ValueError: [Primitive::vjp] Not implemented` on the
    first backward pass.

    ## Example
    ```python
    import mlx.core as mx


    def penalty(a):
        return mx.linalg.inv(a, stream=mx.cpu).sum()


    gradient = mx.grad(penalty)(mx.eye(2))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def penalty(a):
        fixed = mx.linalg.inv(mx.stop_gradient(a), stream=mx.cpu)
        return (2 * fixed - fixed @ a @ fixed).sum()


    gradient = mx.grad(penalty)(mx.eye(2))
    ```

    ## References
    - [Linear algebra](https://ml-explore.github.io/mlx/build/html/python/linalg.html)
    """

    code = "MLX476"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{operation}` has no gradient in MLX, and `{function}` is differentiated"

    def visit_Module(self, node: cst.Module, context: Context) -> None:
        for flow in differentiated(context):
            for found in flow.nodes():
                if isinstance(found, cst.Call) and (callee := context.callee(found)) in WITHOUT and flow.depends(found):
                    function = flow.code.name
                    context.report(
                        self, found, confidence=Confidence.LIKELY, operation=explain.short(callee), function=function
                    )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        a = mx.array([[2.0, 0.0], [0.0, 4.0]])
        inverse = lambda m: mx.linalg.inv(m, stream=mx.cpu)  # noqa: E731

        def rewritten(m: mx.array) -> mx.array:
            fixed = inverse(mx.stop_gradient(m))  # type: ignore[no-untyped-call]
            return (2 * fixed - fixed @ m @ fixed).sum()

        hazard = raises(lambda: mx.grad(lambda m: inverse(m).sum())(a), ValueError, text="vjp")  # type: ignore[no-untyped-call]
        expected = -(inverse(a).T @ mx.ones((2, 2)) @ inverse(a).T)  # type: ignore[no-untyped-call]
        return Evidence(hazard, agrees(mx.grad(rewritten)(a), expected))
