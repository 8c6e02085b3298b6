from __future__ import annotations

import re
from typing import Any, Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Severity, agrees, differs, raises, shown

from ..training._optimizers import as_optimizer, is_schedule, learning_rate, optimizer_name
from ..training._step import is_update, paths
from ..weights._torch import holds_layer
from ._compile import Compiled, CompiledRule, called_in

_BATCH_NORM = re.compile(r"mlx\.nn\.BatchNorm$")
_EVALUATION = re.compile(r"\.eval\(\)|\.train\((?:mode=)?False")


class CompiledWithoutState(CompiledRule):
    """A compiled step updates a model that it does not capture

    ## What it does
    Finds functions compiled without `inputs` or `outputs` that call `optimizer.update`, themselves or through
    functions they call, or with those of the model alone; state that is given as `outputs` and not as `inputs`; and
    functions compiled without `outputs` that call a model with `nn.BatchNorm`, in files that set no evaluation mode.

    ## PyTorch and MLX
    `torch.compile` follows what a step does to the model. `mx.compile` sees arguments and results only: what a
    function finds around itself is a constant, and what it writes there is a placeholder of the trace. The model
    does not train, and reading its weights afterwards raises. The state must be named as `inputs` and as `outputs`,
    the optimizer's with the model's: without it each step begins with the moments and the learning rate of the first.

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
        updates = [call for call, called in called_in(compiled, context) if is_update(called)]
        if missing and updates:
            named = " and ".join(f"`{name}`" for name in missing)
            context.report(self, compiled.node, function=compiled.code.name, missing=named)
        elif missing == ["inputs"] and _holds_state(compiled, context):
            template = "the state of `outputs` is not among `inputs`: each call of `{function}` begins with the first"
            context.report(
                self, compiled.node, template=template, function=compiled.code.name, repro={"case": "outputs"}
            )
        elif "outputs" in missing and _normalises_batches(compiled, context):
            template = (
                "`{function}` is compiled and normalises batches: the running statistics are placeholders after it"
            )
            context.report(
                self, compiled.node, template=template, severity=Severity.WARNING, confidence=LIKELY,
                function=compiled.code.name, repro={"case": "statistics"},
            )  # fmt: skip
        elif not missing:
            self._check_optimizers(compiled, updates, context)

    def _check_optimizers(self, compiled: Compiled, updates: list[cst.Call], context: Context) -> None:
        """That the state of each optimizer is captured with the model's, as far as the paths in the options tell."""
        captured = _captured(compiled, "inputs", context)
        for call in updates:
            optimizer = dotted(call.func.value) if isinstance(call.func, cst.Attribute) else None
            here = compiled.code.module is context.module and call in context.parents
            if optimizer is None or not here or captured is None or any(optimizer in paths(c) for c in captured):
                continue
            if _is_stateless(call, context):
                continue
            template = "`{optimizer}.state` is not captured: each call of `{function}` begins with the first state"
            context.report(
                self, compiled.node, template=template, function=compiled.code.name, optimizer=optimizer,
                repro={"case": "optimizer"},
            )  # fmt: skip
            return

    @staticmethod
    def repro(case: Literal["model", "optimizer", "outputs", "statistics"] = "model") -> Evidence:
        if case != "model":
            return {"optimizer": _steps_of_adam, "outputs": _running_mean, "statistics": _placeholders}[case]()
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


def _is_stateless(update: cst.Call, context: Context) -> bool:
    """Whether an optimizer keeps nothing that its steps need: one without momentum, whose rate stays as it is."""
    func = update.func
    optimizer = as_optimizer(context.value(func.value)) if isinstance(func, cst.Attribute) else None
    if optimizer is None or optimizer_name(optimizer) != "SGD" or optimizer.code is not None:
        return False
    constant_rate = not is_schedule(learning_rate(optimizer)) and ".learning_rate" not in context.module.text
    return constant_rate and len(optimizer.args) < 2 and "momentum" not in optimizer.keywords


def _captured(compiled: Compiled, option: str, context: Context) -> list[cst.BaseExpression] | None:
    """The expressions of a captured state, `[model.state, optimizer.state]`; None when they are not all paths."""
    made: cst.BaseExpression = compiled.options[option]
    if isinstance(made, cst.Name):
        scopes = (a for a in context.ancestors(compiled.node) if isinstance(a, (cst.FunctionDef, cst.Module)))
        scope = next(scope for scope in scopes if scope is not compiled.code.node)
        bindings = context.nodes(scope.body if isinstance(scope, cst.FunctionDef) else scope, cst.Assign)
        bound = [binding.value for binding in bindings if dotted(binding.targets[0].target) == made.value]
        made = bound[0] if len(bound) == 1 else made
    elements = [e.value for e in made.elements] if isinstance(made, (cst.List, cst.Tuple)) else [made]
    found: list[cst.BaseExpression] = [
        element for element in elements if isinstance(element, cst.Attribute) and dotted(element) is not None
    ]
    return found if len(found) == len(elements) else None


def _holds_state(compiled: Compiled, context: Context) -> bool:
    """Whether what is written back is the state of a model or an optimizer."""
    captured = _captured(compiled, "outputs", context) or ()
    return any(isinstance(each, cst.Attribute) and each.attr.value == "state" for each in captured)


def _normalises_batches(compiled: Compiled, context: Context) -> bool:
    """Whether a function calls a model with batch normalisation, and nothing in the file ends the training mode."""
    if _EVALUATION.search(context.module.text):
        return False
    return any(holds_layer(called, _BATCH_NORM) for _, called in called_in(compiled, context))


def _placeholders() -> Evidence:
    import mlx.core as mx
    import mlx.nn as nn

    def mean(**captured: Any) -> mx.array:
        norm = nn.BatchNorm(1, momentum=0.5)
        compiled = mx.compile(lambda x: norm(x), **dict.fromkeys(captured, norm.state))
        mx.eval(compiled(mx.full((2, 1), 2.0)))
        return norm.running_mean + 0

    kept = mean(inputs="", outputs="").item()
    return Evidence(raises(mean, RuntimeError, text="primitive"), shown(kept == 1.0, f"captured, the mean is {kept}"))


def _steps_of_adam() -> Evidence:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    def weight(with_optimizer: bool) -> float:
        model, optimizer = nn.Linear(1, 1, bias=False), optim.Adam(0.5)
        model.weight = mx.array([[1.0]])
        optimizer.init(model.trainable_parameters())
        loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())
        state = [model.state, optimizer.state] if with_optimizer else [model.state]

        def step(x: mx.array) -> mx.array:
            loss, gradients = loss_and_grad(x)
            optimizer.update(model, gradients)
            return loss

        compiled = mx.compile(step, inputs=state, outputs=state)
        mx.eval(compiled(mx.ones((1, 1))), state)
        optimizer.learning_rate = 0.0
        before = model.weight.item()
        mx.eval(compiled(mx.ones((1, 1))), state)
        return float(model.weight.item() - before)

    moved, kept = weight(False), weight(True)
    return Evidence(
        shown(moved != 0, f"with a learning rate of 0 the weight moves by {moved:.2f}"),
        shown(kept == 0, "with the optimizer's state it stays"),
    )


def _running_mean() -> Evidence:
    import mlx.core as mx
    import mlx.nn as nn

    def mean(**captured: str) -> mx.array:
        norm = nn.BatchNorm(1, momentum=0.5)
        compiled = mx.compile(lambda x: norm(x), **dict.fromkeys(captured, norm.state))
        for number in (2.0, 4.0):
            mx.eval(compiled(mx.full((2, 1), number)), norm.state)
        return norm.running_mean

    return Evidence(differs(mean(outputs=""), [2.5]), agrees(mean(inputs="", outputs=""), [2.5]))
