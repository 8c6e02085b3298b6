from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._step import is_update


class UnfrozenAfterUpdate(Rule):
    """Parameters are unfrozen while an optimizer is in use that knows nothing of them

    ## What it does
    Finds `unfreeze(…)` under a condition inside a training loop, where something was frozen before the loop and the
    loop makes neither another optimizer nor its state anew.

    ## PyTorch and MLX
    An optimizer of PyTorch's is given its parameters, and makes the state of each when its first gradient comes. One of
    MLX's makes its whole state at the first update, for the gradients that it sees then. A parameter that is unfrozen
    later has none, and the next update raises `KeyError`. Make another optimizer, or call `optimizer.init` again.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    model.freeze(keys=["weight"])
    optimizer = optim.SGD(0.1, momentum=0.9)
    step = nn.value_and_grad(model, lambda model, x: model(x).sum())
    for epoch in range(10):
        if epoch == 5:
            model.unfreeze()
        loss, gradients = step(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    model.freeze(keys=["weight"])
    optimizer = optim.SGD(0.1, momentum=0.9)
    step = nn.value_and_grad(model, lambda model, x: model(x).sum())
    for epoch in range(10):
        if epoch == 5:
            model.unfreeze()
            optimizer.init(model.trainable_parameters())
        loss, gradients = step(model, mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
    ```

    ## References
    - [Optimizer.init](https://ml-explore.github.io/mlx/build/html/python/optimizers/_autosummary/mlx.optimizers.Optimizer.init.html)
    """

    code = "MLX218"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"unfreeze"})
    message = "`{optimizer}` has no state for what is unfrozen here: its next update raises `KeyError`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not (context.callee(node) or "").startswith("mlx.nn.") or not isinstance(node.func, cst.Attribute):
            return
        loop = context.enclosing(node, cst.For, cst.While)
        code = context.enclosing_function(node)
        scope = context.tree if code is None else code.node
        if loop is None or not any(isinstance(a, cst.If) for a in context.ancestors(node)):
            return
        update = next((call for call, called, _ in context.calls(loop) if is_update(called)), None)
        name = None if update is None or update not in context.parents else tree.dotted(update.func)
        if name is None or not _is_frozen_before(loop, scope, context) or _is_renewed(name.rpartition(".")[0], loop):
            return
        context.report(
            self, node, because=[("it is used here", update)] if update is not None else (),
            optimizer=name.rpartition(".")[0],
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def train(renew: bool) -> None:
            model, optimizer = nn.Linear(1, 1), optim.SGD(0.1, momentum=0.9)
            model.freeze(keys=["weight"])
            optimizer.update(model, {"bias": mx.ones((1,))})
            model.unfreeze()
            if renew:
                optimizer.init(model.trainable_parameters())
            optimizer.update(model, {"bias": mx.ones((1,)), "weight": mx.ones((1, 1))})

        hazard = raises(lambda: train(False), KeyError)
        train(True)
        return Evidence(hazard, shown(True, "after init(…) it runs"))


def _is_frozen_before(loop: cst.CSTNode, scope: cst.CSTNode, context: Context) -> bool:
    """Whether something is frozen in a scope before a loop."""
    for part in context.walk(scope):
        if part is loop:
            return False
        if isinstance(part, cst.Call) and (context.callee(part) or "").endswith(".freeze"):
            return True
    return False


def _is_renewed(optimizer: str, loop: cst.CSTNode) -> bool:
    """Whether a loop makes the optimizer or its state anew."""
    for part in tree.walk(loop):
        if isinstance(part, cst.Assign) and any(tree.dotted(t.target) == optimizer for t in part.targets):
            return True
        if isinstance(part, cst.Call) and tree.dotted(part.func) == f"{optimizer}.init":
            return True
    return False
