from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises

from ._compile import decorates


class CompiledMethod(Rule):
    """A method is compiled by a decorator, and loses `self`

    ## What it does
    Finds `@mx.compile` on a method that takes `self`.

    ## PyTorch and MLX
    What `mx.compile` returns is no Python function, and is not bound to an object when it is read from one.
    `model.step(x)` passes `x` as `self`.

    ## Example
    ```python
    import mlx.core as mx


    class Scale:
        @mx.compile
        def double(self, x):
            return x * 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    class Scale:
        def __init__(self):
            self.double = mx.compile(self._double)

        def _double(self, x):
            return x * 2
    ```

    ## References
    - [mx.compile](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.compile.html)
    """

    code = "MLX513"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "the compiled method `{method}` is not bound to its object: its first argument is taken for `{first}`"
    functions = frozenset({"@"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        if code is None or code.owner is None or code.is_static or code.is_property or not code.positional:
            return
        for decorator in node.decorators:
            if decorates(decorator.decorator, context) is not None and len(node.decorators) == 1:
                context.report(self, decorator.decorator, method=code.name, first=code.positional[0].name.value)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        class Scale:
            def plain(self, x: mx.array) -> mx.array:
                return x * 2

        class Compiled(Scale):
            double = mx.compile(Scale.plain)  # what the decorator does

        x = mx.array([1.0])
        return Evidence(raises(lambda: Compiled().double(x), TypeError), agrees(mx.compile(Scale().plain)(x), [2.0]))
