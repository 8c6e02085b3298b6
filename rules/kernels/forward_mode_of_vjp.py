from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._vjp import registered


class ForwardModeOfVjp(Rule):
    """`mx.jvp` passes over a gradient that is registered for reverse mode alone

    ## What it does
    Finds `mx.jvp` of a function that is, or calls, an `mx.custom_function` with a `vjp` and no `jvp`.

    ## PyTorch and MLX
    Forward mode through an `autograd.Function` without a `jvp` is an error in PyTorch. MLX differentiates the body of
    the function then: a straight-through estimator has a tangent of 0, a clipped gradient is not clipped.

    ## Example
    ```python
    import mlx.core as mx


    @mx.custom_function
    def straight(x):
        return mx.round(x)


    @straight.vjp
    def straight_vjp(primals, cotangent, output):
        return cotangent


    values, tangents = mx.jvp(straight, [mx.array(0.4)], [mx.array(1.0)])
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.custom_function
    def straight(x):
        return mx.round(x)


    @straight.vjp
    def straight_vjp(primals, cotangent, output):
        return cotangent


    @straight.jvp
    def straight_jvp(primals, tangents):
        return tangents


    values, tangents = mx.jvp(straight, [mx.array(0.4)], [mx.array(1.0)])
    ```

    ## References
    - [custom_function](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.custom_function.html)
    """

    code = "MLX815"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"jvp"})
    message = "`{function}` has a `vjp` and no `jvp`: `mx.jvp` differentiates its body"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        code = context.function(context.value(node.args[0].value)) if node.args else None
        if context.callee(node) != "mlx.core.jvp" or code is None:
            return
        one_sided = context.shared(_one_sided, context.tree)
        called = (context.function(value) for _, value, _ in context.calls(code.node.body))
        for function in (code, *called):
            if function is not None and function.node in one_sided:
                context.report(self, node, function=function.name)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def tangent(forward: bool) -> mx.array:
            straight = mx.custom_function(lambda x: mx.round(x))
            straight.vjp(lambda primals, cotangent, output: cotangent)
            if forward:
                straight.jvp(lambda primals, tangents: tangents)
            return mx.jvp(straight, [mx.array(0.4)], [mx.array(1.0)])[1][0]

        return Evidence(differs(tangent(False), 1.0), agrees(tangent(True), 1.0))


def _one_sided(tree: cst.CSTNode, context: Context) -> set[cst.CSTNode]:
    """The custom functions of a file that have a gradient for reverse mode and none for forward mode."""
    hows: dict[cst.CSTNode, set[str]] = {}
    for custom, how in _registrations(context):
        hows.setdefault(custom, set()).add(how)
    return {custom for custom, how in hows.items() if "vjp" in how and "jvp" not in how}


def _registrations(context: Context) -> Iterator[tuple[cst.CSTNode, str]]:
    for function in context.module.functions:
        found = registered(function, context) if isinstance(function, cst.FunctionDef) else None
        if found is not None:
            yield found.custom, found.how
