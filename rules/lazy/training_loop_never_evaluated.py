from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.rule import Applicability, Evidence, Fixable, InsertStatement, Kind, NodeFix, Rule, Severity, shown
from mlxlint.rules._shared import is_test

from ..training._step import Body, Loop, is_short, loop_body
from ._graph import graph_size

_TRAINING = ("optim", "value_and_grad", "train", "step", "update(")  # one is in the text of any file that trains


class TrainingLoopNeverEvaluated(Rule):
    """A training loop in which nothing is ever evaluated

    ## What it does
    Finds loops that update a model, themselves or through functions they call, and in which nothing evaluates an
    array: no `mx.eval`, `item()`, `float()`, `print`, no conversion to NumPy. A loop that hands arrays to code that
    cannot be seen is left alone, and so is the loop of a test, which makes a few steps.

    ## PyTorch and MLX
    PyTorch runs each step when it is called. MLX only records it: without an evaluation, the graph of all steps is
    kept, memory grows with their number, and all the work happens at the first value that is looked at.

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
    The fix evaluates the model and the optimizer after the update. It changes no result and is safe.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX500"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "nothing is evaluated in this training loop: the graph of all its steps is kept"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def visit_ListComp(self, node: cst.ListComp, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: Loop, context: Context) -> None:
        if not context.shared(_trains, context.tree):
            return
        body = context.shared(Body, loop_body(loop))
        if not body.may_update or not body.updates or is_short(loop, context):
            return
        if body.yields or body.evaluates() or self._inner(body):
            return
        update = body.updates[0]
        own = context.parent(update) is not None
        if is_test(loop, context) or (own and _is_over_optimizers(loop, update)):
            return
        context.report(self, update if own else loop, because=[], fix=_fix(update, context) if own else None)

    @staticmethod
    def _inner(body: Body) -> bool:
        """Whether the updates stand in a loop within this one, which is reported itself."""
        loops = [
            node
            for node in body.nodes
            if isinstance(node, (cst.For, cst.While, cst.ListComp)) and node is not body.node
        ]
        return any(body.context.shared(Body, loop_body(loop)).updates for loop in loops)

    @staticmethod
    def repro(steps: int = 30) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def nodes(evaluate: bool) -> int:
            model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
            loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).square().sum())
            for _ in range(steps):
                _, gradients = loss_and_grad(model, mx.ones((4, 2)))
                optimizer.update(model, gradients)
                if evaluate:
                    mx.eval(model.parameters(), optimizer.state)
            return graph_size(model.weight)

        kept, evaluated = nodes(False), nodes(True)
        return Evidence(
            shown(kept > steps, f"after {steps} steps the weight hangs on a graph of {kept} edges"),
            shown(evaluated < 3, f"{evaluated} edges"),
        )


def _trains(module: cst.CSTNode, context: Context) -> bool:
    return any(word in context.module.text for word in _TRAINING)


def _is_over_optimizers(loop: Loop, update: cst.Call) -> bool:
    """Whether each pass is one optimizer's, and none a step."""
    if not isinstance(loop, cst.For) or not isinstance(update.func, cst.Attribute):
        return False
    targets = {part.value for part in tree.walk(loop.target) if isinstance(part, cst.Name)}
    return isinstance(update.func.value, cst.Name) and update.func.value.value in targets


def _fix(update: cst.Call, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or not context.is_dropped(update) or len(update.args) != 2 or any(arg.keyword for arg in update.args):
        return None
    assert isinstance(update.func, cst.Attribute)
    model, optimizer = context.text(update.args[0].value), context.text(update.func.value)
    text = f"{mx}.eval({model}.parameters(), {optimizer}.state)"
    return NodeFix("Evaluate after the update", [InsertStatement(update, text)], Applicability.SAFE)
