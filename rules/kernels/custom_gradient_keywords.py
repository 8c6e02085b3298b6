from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._vjp import positional, registered


class CustomGradientKeywords(Rule):
    """A custom function has keyword arguments that its vjp does not take

    ## What it does
    Finds functions registered with `@f.vjp`, `@f.jvp` or `@f.vmap` that do not take the keyword-only arguments of `f`.

    ## PyTorch and MLX
    `backward` of an `autograd.Function` gets what `ctx` kept. MLX calls the vjp with the keyword arguments of the call
    beside the primals: one that does not take them raises `TypeError`, in the backward pass.

    ## Example
    ```python
    import mlx.core as mx


    @mx.custom_function
    def scaled(x, *, factor=2.0):
        return x * factor


    @scaled.vjp
    def scaled_vjp(x, cotangent, output):
        return cotangent * 2.0
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.custom_function
    def scaled(x, *, factor=2.0):
        return x * factor


    @scaled.vjp
    def scaled_vjp(x, cotangent, output, *, factor=2.0):
        return cotangent * factor
    ```

    ## References
    - [custom_function](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.custom_function.html)
    """

    code = "MLX805"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "`{function}` does not take `{keyword}`, with which it is called where `{custom}` is"
    functions = frozenset({"@"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        found = registered(node, context)
        if found is None or node.params.star_kwarg is not None:
            return
        taken = {parameter.name.value for parameter in (*positional(node), *node.params.kwonly_params)}
        missing = [p.name.value for p in found.custom.params.kwonly_params if p.name.value not in taken]
        if missing:
            context.report(
                self, node.name, function=node.name.value, keyword=missing[0], custom=found.custom.name.value
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def gradient(takes: bool) -> mx.array:
            scaled = mx.custom_function(lambda x, factor=2.0: x * factor)
            if takes:
                scaled.vjp(lambda x, cotangent, output, factor=2.0: cotangent * factor)
            else:
                scaled.vjp(lambda x, cotangent, output: cotangent * 2.0)
            return mx.grad(lambda x: scaled(x, factor=3.0).sum())(mx.ones((2,)))

        hazard = raises(lambda: gradient(False), TypeError)
        found = gradient(True).tolist()
        return Evidence(hazard, shown(found == [3.0, 3.0], f"a vjp that takes it: {found}"))
