from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance, Name, Value
from mlxlint.rule import Evidence, Kind, Severity, shown

from ..training._step import is_update
from ._compile import Compiled, CompiledRule, called_in, captures, has_random_state

DRAWING = frozenset(
    f"mlx.core.random.{name}"
    for name in (
        "bernoulli categorical gumbel laplace multivariate_normal normal permutation randint truncated_normal uniform"
    ).split()
)


class CompiledWithoutRandomState(CompiledRule):
    """A compiled function draws the same random numbers in every call

    ## What it does
    Finds compiled functions that draw random numbers or apply dropout, themselves or in what they call, and whose
    captured state leaves out `mx.random.state`. Draws with an explicit `key` are left alone, and so is dropout in
    programs that call `eval()` on a model and do not train in the compiled function.

    ## PyTorch and MLX
    MLX's generator is an array. For a compiled function it is a constant like any other array it was not given, so
    that each call draws the same numbers: dropout drops the same elements in each step.

    ## Example
    ```python
    import mlx.core as mx


    @mx.compile
    def noisy(x):
        return x + mx.random.normal(x.shape)
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx


    @partial(mx.compile, inputs=mx.random.state, outputs=mx.random.state)
    def noisy(x):
        return x + mx.random.normal(x.shape)
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX508"
    kind = Kind.SILENT
    severity = Severity.ERROR
    message = (
        "`{function}` is compiled and {draws}, but `mx.random.state` is not captured: each call draws the same numbers"
    )

    def check(self, compiled: Compiled, context: Context) -> None:
        if (
            "inputs" in compiled.options
            and "outputs" not in compiled.options
            and compiled.state("inputs", context) is None
        ):
            return
        held = [captures(compiled.state(name, context)) for name in ("inputs", "outputs")]
        if any(values is None or has_random_state(values) for values in held):
            return
        calls = list(called_in(compiled, context))
        trains = any(is_update(called) for _, called in calls)
        if trains and not compiled.options:
            return  # no state at all is captured, which is another finding
        draws = next(
            (
                text
                for call, called in calls
                if (text := _draws(call, called, trains or ".eval()" not in context.module.text))
            ),
            None,
        )
        if draws is not None:
            context.report(self, compiled.node, function=compiled.code.name, draws=draws)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        def twice(**state: object) -> list[float]:
            draw = mx.compile(lambda x: x + mx.random.normal(x.shape), **state)
            return [draw(mx.zeros((1,))).item(), draw(mx.zeros((1,))).item()]

        first, second = twice()
        other = twice(inputs=mx.random.state, outputs=mx.random.state)
        return Evidence(
            shown(first == second, f"{first:.3f} twice"),
            shown(other[0] != other[1], f"{other[0]:.3f}, then {other[1]:.3f}"),
        )


def _draws(call: cst.Call, called: Value, training: bool) -> str | None:
    if isinstance(called, Name) and called.name in DRAWING:
        keyed = any(arg.star or (arg.keyword is not None and arg.keyword.value == "key") for arg in call.args)
        return None if keyed else f"calls `{called.name.replace('mlx.core', 'mx')}`"
    if training and isinstance(called, Instance):
        layers = called.args if called.type == "mlx.nn.Sequential" else (called,)
        if any(isinstance(layer, Instance) and layer.type.startswith("mlx.nn.Dropout") for layer in layers):
            return "applies dropout"
    return None
