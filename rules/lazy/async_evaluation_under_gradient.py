from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, raises

_TRANSFORMS = {
    "mlx.core.grad": 0, "mlx.core.value_and_grad": 0, "mlx.core.vjp": 0, "mlx.core.jvp": 0,
    "mlx.nn.value_and_grad": 1,
}  # fmt: skip
_EVAL = "mlx.core.async_eval"


class AsyncEvaluationUnderGradient(Rule):
    """`mx.async_eval` is called in a function that is differentiated

    ## What it does
    Finds `mx.async_eval` in functions given to `mx.grad`, `mx.value_and_grad`, `mx.vjp` or `mx.jvp`, and in
    what these call.

    ## PyTorch and MLX
    In PyTorch nothing of the kind is needed. MLX lets `mx.eval` pass in a differentiated function, but `mx.async_eval`
    raises there: evaluate outside.

    ## Example
    ```python
    import mlx.core as mx


    def loss(x):
        hidden = mx.tanh(x)
        mx.async_eval(hidden)
        return hidden.sum()


    gradient = mx.grad(loss)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(x):
        return mx.tanh(x).sum()


    gradient = mx.grad(loss)(mx.ones((2,)))
    mx.async_eval(gradient)
    ```

    ## References
    - [async_eval](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.async_eval.html)
    """

    code = "MLX528"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset(name.rpartition(".")[2] for name in _TRANSFORMS)
    message = "`mx.async_eval` raises in a function that is given to `{transform}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        called = context.called(node)
        place = _TRANSFORMS.get(called.name) if isinstance(called, Name) else None
        function = context.argument(node, place, "fun", "fn") if place is not None else None
        code = context.function(context.value(function)) if function is not None else None
        if code is None or not isinstance(called, Name):
            return
        for call, inner, module in context.calls(code.node.body):
            if isinstance(inner, Name) and inner.name == _EVAL:
                here = module is context.module
                transform = called.name.replace("mlx.core.", "mx.").replace("mlx.nn.", "nn.")
                context.report(
                    self, call if here else node, transform=transform, confidence=Confidence.LIKELY,
                    because=[("it is transformed here", node)], repro={"transform": called.name.rpartition(".")[2]},
                )  # fmt: skip
                return

    @staticmethod
    def repro(transform: Literal["grad", "value_and_grad", "vjp", "jvp"] = "grad") -> Evidence:
        import mlx.core as mx

        def run(evaluate: bool) -> mx.array:
            def loss(x: mx.array) -> mx.array:
                if evaluate:
                    mx.async_eval(x * 2)
                return (x * x).sum()

            x = mx.array([3.0])
            if transform in ("vjp", "jvp"):
                return getattr(mx, transform)(loss, [x], [mx.array(1.0) if transform == "vjp" else x])[1][0]
            result = getattr(mx, transform)(loss)(x)
            return result[1] if transform == "value_and_grad" else result

        hazard = raises(lambda: run(True))
        expected = 18.0 if transform == "jvp" else [6.0]
        return Evidence(hazard, agrees(run(False), expected))
