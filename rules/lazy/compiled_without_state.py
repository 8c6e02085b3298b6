from __future__ import annotations

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Severity, raises, shown

from ..training._step import is_update
from ._compile import Compiled, CompiledRule, called_in


class CompiledWithoutState(CompiledRule):
    """A compiled step updates a model that it does not capture

    ## What it does
    Finds functions compiled without `inputs` or `outputs` that call `optimizer.update`, themselves or through
    functions they call.

    ## PyTorch and MLX
    `torch.compile` follows what a step does to the model. `mx.compile` sees arguments and results only: what a
    function finds around itself is a constant, and what it writes there is a placeholder of the trace. The model
    does not train, and reading its weights afterwards raises. The state must be named as `inputs` and as `outputs`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())


    @mx.compile
    def step(x):
        loss, gradients = loss_and_grad(model, x)
        optimizer.update(model, gradients)
        return loss
    ```

    ## Use instead
    ```python
    from functools import partial

    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    state = [model.state, optimizer.state]


    @partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        loss, gradients = loss_and_grad(model, x)
        optimizer.update(model, gradients)
        return loss
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX507"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{function}` is compiled and updates a model, but its state is not given as {missing}"

    def check(self, compiled: Compiled, context: Context) -> None:
        missing = [name for name in ("inputs", "outputs") if name not in compiled.options]
        if not missing or not any(is_update(called) for _, called in called_in(compiled, context)):
            return
        context.report(
            self, compiled.node, function=compiled.code.name, missing=" and ".join(f"`{name}`" for name in missing)
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def weight_after_two_steps(capture: bool) -> mx.array:
            model, optimizer = nn.Linear(1, 1), optim.SGD(0.5)
            model.weight = mx.array([[1.0]])
            loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).sum())
            state = [model.state, optimizer.state]

            def step(x: mx.array) -> mx.array:
                loss, gradients = loss_and_grad(model, x)
                optimizer.update(model, gradients)
                return loss

            compiled = mx.compile(step, inputs=state, outputs=state) if capture else mx.compile(step)
            mx.eval(compiled(mx.ones((1, 1))), compiled(mx.ones((1, 1))))
            return model.weight + 0

        hazard = raises(lambda: weight_after_two_steps(False), RuntimeError, text="primitive")
        trained = weight_after_two_steps(True).item()
        return Evidence(hazard, shown(trained == 0.0, f"captured, the weight is {trained} after two steps"))
