from __future__ import annotations

from mlxlint.context import Context
from mlxlint.model.values import Sequence, Tree, Value, members
from mlxlint.rule import Evidence, Kind, Severity, raises, shown

from ._compile import Compiled, CompiledRule


class CompiledStateCopy(CompiledRule):
    """A compiled function is given a copy of a model's parameters as its state

    ## What it does
    Finds `model.parameters()` and `model.trainable_parameters()` among the `inputs` or `outputs` of `mx.compile`.

    ## PyTorch and MLX
    `inputs` and `outputs` must be the containers in which the function finds and leaves its arrays. `parameters()`
    makes a new dict each time: what the model holds is not captured, and the call raises. `model.state` is the
    model's own.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(lambda x: model(x), inputs=model.parameters())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(lambda x: model(x), inputs=model.state)
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX512"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{option}` of `{function}` holds a copy of the parameters: capture `model.state`"

    def check(self, compiled: Compiled, context: Context) -> None:
        for option in ("inputs", "outputs"):
            node = compiled.options.get(option)
            if node is not None and _copies(context.value(node)):
                context.report(self, node, because=[node], option=option, function=compiled.code.name)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.ones((1, 2))
        model = nn.Linear(2, 1)
        right = mx.compile(lambda x: model(x), inputs=model.state)(x)
        hazard = raises(lambda: mx.compile(lambda x: model(x), inputs=model.parameters())(x), ValueError, text="captur")
        return Evidence(hazard, shown(right.shape == (1, 1), f"with model.state the result has shape {right.shape}"))


def _copies(value: Value) -> bool:
    if isinstance(value, Sequence):
        return any(_copies(item) for item in value.items or ())
    return all(isinstance(member, Tree) and member.kind == "parameters" for member in members(value))
