from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import as_array
from mlxlint.rule import Applicability, Evidence, Fixable, InsertStatement, Kind, NodeFix, Rule, Severity, shown

from ..training._step import Body, forced, holds_arrays, is_gradient_call, is_short, loop_body, paths
from ._graph import graph_size


class LossGraphKept(Rule):
    """Losses are collected in a training loop and not evaluated there

    ## What it does
    Finds `losses.append(loss)`, `total += loss` and the like in a training loop whose evaluations do not include
    the loss.

    ## PyTorch and MLX
    `mx.eval(model.parameters(), optimizer.state)` computes what the new parameters need. The value of the loss
    itself is not among that: each collected loss keeps the graph of its forward pass, with all activations, until
    it is looked at. PyTorch has the same leak with `total += loss`, and the same remedy.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    losses = []
    for step in range(100):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    losses = []
    for step in range(100):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    ```

    ## Fix safety
    The fix evaluates the loss before it is collected. It changes no result and is safe.

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX502"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{loss}` is kept without being evaluated: each one holds on to its step's activations"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        if not body.may_differentiate or is_short(loop, context) or body.yields:
            return
        returned = _returned_losses(body)
        losses = _losses(body) | returned
        if not losses:
            return
        if not body.evaluates() and body.updates:
            return  # nothing at all is evaluated, which is another finding
        for statement, path, source in body.carried():
            kept = paths(source) & (losses - body.evaluated | returned)
            if (
                not kept
                or path in body.evaluated
                or not holds_arrays(context.value(source))
                or context.enclosing(statement, cst.For, cst.While) is not loop
            ):
                continue
            context.report(
                self, statement, because=[source], loss=sorted(kept)[0], fix=_evaluated(statement, source, context)
            )

    @staticmethod
    def repro(steps: int = 5) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
        loss_and_grad = nn.value_and_grad(model, lambda m, x: m(x).square().mean())
        total = mx.array(0.0)
        for _ in range(steps):
            loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
            optimizer.update(model, gradients)
            mx.eval(model.parameters(), optimizer.state)
            total = total + loss
        kept = graph_size(total)
        mx.eval(total)
        return Evidence(
            shown(kept > 2 * steps, f"the sum of {steps} losses hangs on a graph of {kept} edges"),
            shown(graph_size(total) < 3, f"evaluated: {graph_size(total)} edges"),
        )


def _returned_losses(body: Body) -> set[str]:
    """What holds the loss that a step of this file returns without having evaluated it: its call, and the name it gets.

    A step that evaluates the model leaves the loss to be computed, graph and all; one that is evaluated here is not.
    """
    steps = [call for call in body.of(cst.Call) if _leaves_loss(call, body.context)]
    found = {path for call in steps if (path := tree.dotted(call.func)) is not None}
    for assign in body.of(cst.Assign):
        if any(assign.value is call for call in steps) and isinstance(assign.targets[0].target, cst.Name):
            found.add(assign.targets[0].target.value)
    read = {path for call in body.of(cst.Call) if call not in steps for path in _forced_here(call, body.context)}
    return set() if found & read else found


def _forced_here(call: cst.Call, context: Context) -> set[str]:
    expressions = forced(call, context.called(call), context.module) or []
    return {path for expression in expressions for path in paths(expression)}


def _leaves_loss(call: cst.Call, context: Context) -> bool:
    """Whether a call is of a function of this file that returns the loss of `value_and_grad`, not evaluated there."""
    code = context.function(context.called(call))
    if code is None or code.module is not context.module or not isinstance(code.node, cst.FunctionDef):
        return False
    step = context.shared(Body, code.node.body)
    returned = [node.value for node in step.of(cst.Return)]
    if len(returned) != 1 or not isinstance(returned[0], cst.Name):
        return False
    return returned[0].value in _losses(step) - step.evaluated and bool(step.updates)


def _evaluated(statement: cst.CSTNode, source: cst.BaseExpression, context: Context) -> NodeFix | None:
    core = context.importing("mlx.core", "mx")
    if core is None or not isinstance(source, (cst.Name, cst.Attribute)) or as_array(context.value(source)) is None:
        return None
    mx, imports = core
    edit = InsertStatement(statement, f"{mx}.eval({context.text(source)})", after=False)
    return NodeFix("Evaluate it here", [*imports, edit], Applicability.SAFE)


def _losses(body: Body) -> set[str]:
    """The names that hold the value of a differentiated function."""
    found: set[str] = set()
    for node in body.of(cst.Assign):
        if isinstance(node.value, cst.Call) and is_gradient_call(body.context.called(node.value)):
            target = node.targets[0].target
            if isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) == 2:
                found |= paths(target.elements[0].value)
    return found
