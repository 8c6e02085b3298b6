from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import UNKNOWN
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._gradients import is_gradients, is_module
from ._optimizers import as_optimizer
from ._step import MODEL_LIKE


class SharedOptimizer(Rule):
    """One optimizer updates two models

    ## What it does
    Finds functions in which the same optimizer is given two different models, and classes whose methods do so.

    ## PyTorch and MLX
    An optimizer of PyTorch's belongs to the parameters it was made with. One of MLX's keeps its state under the
    paths of the parameters (`layers.0.weight`): a second model with equal paths reads and overwrites the momentum
    of the first, and both count as updates.

    ## Example
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    actor, critic = nn.Linear(2, 1), nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
    optimizer.update(actor, {"bias": actor.bias})
    optimizer.update(critic, {"bias": critic.bias})
    ```

    ## Use instead
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    actor, critic = nn.Linear(2, 1), nn.Linear(2, 1)
    actor_optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
    critic_optimizer = optim.SGD(learning_rate=0.1, momentum=0.9)
    actor_optimizer.update(actor, {"bias": actor.bias})
    critic_optimizer.update(critic, {"bias": critic.bias})
    ```

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX231"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"update"})
    message = "`{optimizer}` also updates `{other}`: two models share its state"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if as_optimizer(context.receiver(node)) is None:
            return
        optimizer, model = _parts(node, context)
        if optimizer is None or model is None:
            return
        scope = _scope(optimizer, node, context)
        for other in _walk(scope, context):
            if other is node:
                return  # the earlier of two is where the other is pointed to
            if not isinstance(other, cst.Call) or as_optimizer(context.receiver(other)) is None:
                continue
            same, second = _parts(other, context)
            if not (same == optimizer or _is_called_both(optimizer, same, scope, context)) or second in (None, model):
                continue
            if not _are_told_apart(node, other, model, second, context):
                continue
            if not self._rebound(optimizer, scope, context):
                because = [("the other is updated here", other)]
                context.report(self, node, because=because, optimizer=optimizer, other=second)
                return

    @staticmethod
    def _rebound(name: str, scope: cst.CSTNode | None, context: Context) -> bool:
        """Whether a name stands for several optimizers in a scope: bound more than once, or by a loop."""
        bound = 0
        for node in _walk(scope, context):
            if isinstance(node, cst.Assign):
                bound += sum(tree.dotted(target.target) == name for target in node.targets)
            elif isinstance(node, cst.For) and any(tree.dotted(part) == name for part in tree.walk(node.target)):
                return True
        return bound > 1

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        def second_bias(shared: bool) -> mx.array:
            first, second = nn.Linear(1, 1), nn.Linear(1, 1)
            first.bias, second.bias = mx.array([0.0]), mx.array([0.0])
            one = optim.SGD(0.5, momentum=0.5)
            two = one if shared else optim.SGD(0.5, momentum=0.5)
            one.update(first, {"bias": mx.array([1.0])})
            two.update(second, {"bias": mx.array([1.0])})
            return second.bias

        return Evidence(differs(second_bias(True), [-0.5]), agrees(second_bias(False), [-0.5]))


def _is_called_both(first: str, second: str | None, scope: cst.CSTNode | None, context: Context) -> bool:
    """Whether one optimizer is given a second name in a scope: ``self.second = self.first``."""
    return any(
        isinstance(node, cst.Assign)
        and {tree.dotted(node.value), *(tree.dotted(target.target) for target in node.targets)} == {first, second}
        for node in _walk(scope, context)
    )


def _scope(optimizer: str, node: cst.CSTNode, context: Context) -> cst.CSTNode | None:
    """Where a path means one optimizer: the class of an attribute, else the function or the module."""
    kinds = (cst.ClassDef, cst.Module) if optimizer.startswith("self.") else (cst.FunctionDef, cst.Module)
    return next((ancestor for ancestor in context.ancestors(node) if isinstance(ancestor, kinds)), None)


def _walk(scope: cst.CSTNode | None, context: Context) -> Iterator[cst.CSTNode]:
    if isinstance(scope, cst.ClassDef):
        yield from context.walk(scope.body, into_functions=True)
    elif scope is not None:
        yield from context.walk(scope)


def _are_told_apart(one: cst.Call, other: cst.Call, first: str, second: str | None, context: Context) -> bool:
    """Whether two paths of models mean two models: attributes do in all methods, names in one function only."""
    if context.enclosing_function(one) is context.enclosing_function(other):
        return True
    return first.startswith("self.") and (second or "").startswith("self.")


def _parts(call: cst.Call, context: Context) -> tuple[str | None, str | None]:
    """The paths of the optimizer and of the model in ``optimizer.update(model, ...)``."""
    model = context.argument(call, 0, "model")
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value != "update" or model is None:
        return None, None
    path, value = tree.dotted(model), context.value(model)
    is_told = value is UNKNOWN and path is not None and _is_told_by(path, call, context)
    return tree.dotted(call.func.value), path if is_module(value) or is_told else None


def _is_told_by(path: str, call: cst.Call, context: Context) -> bool:
    """Whether an attribute of which nothing is known is a model: by its name, or since it is updated by gradients."""
    gradients = context.argument(call, 1, "gradients")
    by_gradients = gradients is not None and is_gradients(context.value(gradients)) and path.startswith("self.")
    return by_gradients or MODEL_LIKE.search(path.rpartition(".")[2]) is not None
