from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ..training._gradients import TRANSFORMS
from ..training._step import is_gradient_call, is_update
from ._measure import seconds

_LOOKING = frozenset({"item", "tolist", "eval", "async_eval", "print", "save_weights", "save_safetensors"})
_NOT_PURE = (cst.For, cst.While, cst.Try, cst.With, cst.Yield, cst.Await, cst.Global, cst.Nonlocal)


class TrainingStepUncompiled(Rule):
    """A training step that could be compiled as a whole

    ## What it does
    Finds functions that compute gradients, update a model with them and return, in files that compile nothing.
    It is advice.

    ## PyTorch and MLX
    PyTorch runs an optimizer over all weights at once. In MLX forward pass, gradients and update are some hundred small
    operations, each of which is scheduled and reads and writes memory. `mx.compile` of the whole step, with the state
    of model and optimizer as `inputs` and `outputs`, fuses what is elementwise. Small models gain most, large ones
    little.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())


    def step(x):
        loss, gradients = loss_and_grad(x)
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
    loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())
    state = [model.state, optimizer.state, mx.random.state]


    @partial(mx.compile, inputs=state, outputs=state)
    def step(x):
        loss, gradients = loss_and_grad(x)
        optimizer.update(model, gradients)
        return loss
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX859"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset({"update"})
    message = (
        "`{function}` is a whole training step: `mx.compile` with the state of model and optimizer can make it faster"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        code = context.enclosing_function(node) if is_update(context.called(node)) else None
        if code is None or not isinstance(code.node, cst.FunctionDef) or not _is_step(code.node, context):
            return
        if re.search(r"\bcompile\b", context.module.text) is None:
            context.report(self, code.node.name, function=code.name, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(size: int = 32) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def losses(compiled: bool) -> tuple[float, float]:
            mx.random.seed(0)
            layers = [layer for _ in range(4) for layer in (nn.Linear(size, size), nn.LayerNorm(size), nn.GELU())]
            model, optimizer = nn.Sequential(*layers), optim.AdamW(1e-3)
            optimizer.init(model.trainable_parameters())
            x, y = mx.random.normal((16, size)), mx.random.normal((16, size))
            loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
            state = [model.state, optimizer.state]

            def step(x: mx.array, y: mx.array) -> mx.array:
                loss, gradients = loss_and_grad(x, y)
                optimizer.update(model, gradients)
                return loss

            run = mx.compile(step, inputs=state, outputs=state) if compiled else step

            def steps(x: mx.array, y: mx.array) -> mx.array:
                for _ in range(20):
                    loss = run(x, y)
                    mx.eval(loss, state)
                return loss

            last = steps(x, y).item()
            return last, seconds(steps, x, y) / 20 * 1e3

        (plain, slow), (same, quick) = losses(False), losses(True)
        return Evidence(
            shown(slow > 1.2 * quick, f"a step takes {slow:.2f} ms, compiled {quick:.2f} ms on {mx.default_device()}"),
            shown(abs(plain - same) < 1e-3 * abs(plain), f"after 20 steps both have a loss of {same:.4f}"),
        )


def _is_step(function: cst.FunctionDef, context: Context) -> bool:
    """Whether a function takes gradients and updates with them, and looks at no value."""
    parts = list(context.walk(function.body))
    calls = [part for part in parts if isinstance(part, cst.Call)]
    if function.decorators or any(isinstance(part, _NOT_PURE) for part in parts):
        return False
    if any(_name(call) in _LOOKING or _transforms(call, context) for call in calls):
        return False  # a value is looked at, or it is made for a single step
    gives = any(isinstance(part, cst.Return) and part.value is not None for part in parts)
    return gives and any(is_gradient_call(context.called(call)) for call in calls) and _updates(calls, context) == 1


def _transforms(call: cst.Call, context: Context) -> bool:
    called = context.called(call)
    return isinstance(called, Name) and called.name in TRANSFORMS


def _updates(calls: list[cst.Call], context: Context) -> int:
    return sum(is_update(context.called(call)) for call in calls)


def _name(call: cst.Call) -> str:
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", "")
