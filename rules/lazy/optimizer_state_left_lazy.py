from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

from ..training._step import Body, is_short, is_update, loop_body, paths
from ._graph import graph_size


class OptimizerStateLeftLazy(Rule):
    """A training loop evaluates the model and not the optimizer's state

    ## What it does
    Finds training loops whose only evaluation of the step is `mx.eval(model.parameters())` or
    `mx.eval(model.state)`.

    ## PyTorch and MLX
    An optimizer counts its updates in an array. One without schedule and bias correction never reads the count, so
    that evaluating the model does not evaluate it: its graph grows by a few nodes with each step, until something
    reads it.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    for step in range(100):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    for step in range(100):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
    ```

    ## Fix safety
    The fix evaluates the optimizer's state too. It changes no result and is safe.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX519"
    kind = Kind.COST
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
    message = "the state of `{optimizer}` is never evaluated in this loop: its count of updates grows a graph"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        own = body.of(cst.Call)
        updates = [node for node in own if is_update(context.called(node)) and len(node.args) == 2]
        evaluations = [node for node in own if context.callee(node) == "mlx.core.eval" and node.args]
        if len(updates) != 1 or len(evaluations) != 1 or is_short(loop, context) or body.yields:
            return
        update, evaluation = updates[0], evaluations[0]
        if not isinstance(update.func, cst.Attribute) or context.enclosing(update, cst.For, cst.While) is not loop:
            return
        optimizer, model = dotted(update.func.value), paths(update.args[0].value)
        mentioned = paths(evaluation)
        if (
            optimizer is None
            or not model & mentioned
            or optimizer in mentioned
            or not _names_model_only(evaluation, context)
        ):
            return
        fix = NodeFix(
            "Evaluate the optimizer's state",
            [Insert(evaluation.args[-1], f", {optimizer}.state", after=True)],
            Applicability.SAFE,
        )
        context.report(self, evaluation, because=[("it is updated here", update)], optimizer=optimizer, fix=fix)

    @staticmethod
    def repro(steps: int = 20) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def edges(both: bool) -> int:
            model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
            for _ in range(steps):
                optimizer.update(model, {"bias": model.bias * 0.1})
                mx.eval(model.parameters(), optimizer.state if both else [])
            return graph_size(optimizer.step)

        left, evaluated = edges(False), edges(True)
        return Evidence(
            shown(left >= steps, f"after {steps} steps the count hangs on {left} edges"),
            shown(evaluated < 3, f"{evaluated} edges"),
        )


def _names_model_only(evaluation: cst.Call, context: Context) -> bool:
    """Whether everything evaluated is written out, so that the optimizer cannot be among it."""
    return all(
        isinstance(arg.value, (cst.Call, cst.Attribute)) or context.array(arg.value) is not None
        for arg in evaluation.args
        if not arg.star
    ) and not any(arg.star for arg in evaluation.args)
