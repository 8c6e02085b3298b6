from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.rule import Evidence, Kind, Severity, raises, shown

from ._compile import Compiled, CompiledRule


class CompiledGenerator(CompiledRule):
    """A generator function is compiled

    ## What it does
    Finds `mx.compile` of a function that yields.

    ## PyTorch and MLX
    `torch.compile` compiles what a generator does between its yields. `mx.compile` calls the function with
    placeholders, gets a generator object and hands it on: its body runs later, on placeholders that have no values
    any more, and looking at what it yields raises `RuntimeError`. Compile the step instead.

    ## Example
    ```python
    import mlx.core as mx


    @mx.compile
    def steps(x):
        for _ in range(3):
            x = mx.tanh(x) * 2
            yield x
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def step(x):
        return mx.tanh(x) * 2


    def steps(x):
        for _ in range(3):
            x = step(x)
            yield x
    ```

    ## References
    - [Compilation](https://ml-explore.github.io/mlx/build/html/usage/compile.html)
    """

    code = "MLX524"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "the compiled `{function}` is a generator: what it yields are placeholders, and reading them raises"

    def check(self, compiled: Compiled, context: Context) -> None:
        body = walk(compiled.code.node.body, (cst.FunctionDef, cst.Lambda))
        if any(isinstance(node, cst.Yield) for node in body):
            context.report(self, compiled.node, function=compiled.code.name)

    @staticmethod
    def repro(steps: int = 3) -> Evidence:
        from collections.abc import Iterator

        import mlx.core as mx

        def step(x: mx.array) -> mx.array:
            return mx.tanh(x) * 2

        def generated(x: mx.array, step: Callable[[mx.array], mx.array]) -> Iterator[mx.array]:
            for _ in range(steps):
                x = step(x)
                yield x

        compiled = mx.compile(lambda x: generated(x, step))
        hazard = raises(lambda: list(compiled(mx.ones((2,)))), RuntimeError)
        parts = list(generated(mx.ones((2,)), mx.compile(step)))
        return Evidence(hazard, shown(len(parts) == steps, f"with a compiled step: {len(parts)} arrays"))
