from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Severity, raises, shown

from ._compile import Compiled, CompiledRule, captures, has_random_state


class CompiledFunctionRaises(CompiledRule):
    """A compiled function with captured state checks its arguments

    ## What it does
    Finds functions compiled with `inputs` that hold a `raise` or an `assert`: a warning where `mx.random.state` is
    among what is captured, a note where it is not.

    ## PyTorch and MLX
    A function of PyTorch that raises leaves nothing behind. While MLX traces a compiled function, placeholders stand in
    the captured state, and an exception leaves them there. Those in `mx.random.state` are everybody's: each later
    draw of the process raises `Attempting to eval an array without a primitive` until `mx.random.seed` is called. Check
    the arguments before the call.

    ## Example
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def draw(logits, temperature):
        if temperature <= 0:
            raise ValueError("temperature has to be positive")
        return mx.random.categorical(logits / temperature)
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def compiled_draw(logits, temperature):
        return mx.random.categorical(logits / temperature)


    def draw(logits, temperature):
        if temperature <= 0:
            raise ValueError("temperature has to be positive")
        return compiled_draw(logits, temperature)
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX535"
    kind = Kind.CRASH
    severity = Severity.WARNING
    message = "when `{function}` raises, {state} is left with placeholders, and whatever reads it later fails"

    def check(self, compiled: Compiled, context: Context) -> None:
        if compiled.code.module is not context.module or "inputs" not in compiled.options:
            return
        body = compiled.code.node.body
        failing = next(iter([*context.nodes(body, cst.Raise), *context.nodes(body, cst.Assert)]), None)
        if failing is None:
            return
        random = has_random_state(captures(compiled.state("inputs", context)) or [])
        context.report(
            self, compiled.node, because=[("it raises here", failing)], confidence=Confidence.LIKELY,
            severity=Severity.WARNING if random else Severity.INFO, function=compiled.code.name,
            state="`mx.random.state`" if random else "the captured state",
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def check(scale: float) -> None:
            if scale <= 0:
                raise ValueError("scale has to be positive")

        def draws(checked_before: bool) -> mx.array:
            def noisy(x: mx.array, scale: float) -> mx.array:
                if not checked_before:
                    check(scale)
                return x + scale * mx.random.normal(x.shape)

            compiled = mx.compile(noisy, inputs=mx.random.state, outputs=mx.random.state)
            try:
                if checked_before:
                    check(-1.0)
                compiled(mx.zeros((2,)), -1.0)
            except ValueError:
                pass
            return mx.random.normal((2,))

        try:
            hazard = raises(lambda: draws(False), RuntimeError, text="without a primitive")
        finally:
            mx.random.seed(0)
        drawn = draws(True)
        return Evidence(hazard, shown(drawn.shape == (2,), f"checked before the call, the next draw: {drawn.tolist()}"))
