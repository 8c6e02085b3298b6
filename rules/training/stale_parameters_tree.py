from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY, Function
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from .._statements import block
from ._gradients import is_module
from ._step import SCOPES, Body, is_update, loop_body

_TREES = frozenset({"parameters", "trainable_parameters"})
_WRAPPERS = frozenset({"mlx.utils.tree_flatten", "builtins.dict", "builtins.list"})
_READS = ("mlx.core.eval", "mlx.core.async_eval", "mlx.core.save", "mlx.utils.tree_map")
# What is kept on purpose as it was.
_KEPT = re.compile(
    r"best|old|init|prev|snapshot|start|before|first|ema|average|backup|saved?|target|reference|anchor|orig|frozen|shadow",
    re.IGNORECASE,
)


class StaleParametersTree(Rule):
    """A tree of parameters that was taken before training is used as if it followed the updates

    ## What it does
    Finds names that are bound to `model.parameters()`, `model.trainable_parameters()` or their flat form before a loop
    that updates the model, and are evaluated, saved or mapped in the loop or after it. Names that say that the old
    values are wanted (`best`, `initial`, `ema`, …) are left out.

    ## PyTorch and MLX
    In PyTorch `parameters()` and `state_dict()` refer to the tensors that training changes. In MLX they return the
    arrays of that moment; an update puts other arrays into the model. What is evaluated or saved afterwards is the
    model as it was before the training.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model, optimizer = nn.Linear(2, 1), optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())
    parameters = model.parameters()
    for _ in range(8):
        loss, gradients = loss_and_grad(mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(parameters, optimizer.state)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model, optimizer = nn.Linear(2, 1), optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda x: model(x).sum())
    for _ in range(8):
        loss, gradients = loss_and_grad(mx.ones((4, 2)))
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state)
    ```

    ## References
    - [Module.parameters](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.parameters.html)
    """

    code = "MLX234"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = _TREES
    message = "`{name}` holds the parameters from before the updates: training does not change it"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute) or not is_module(context.receiver(node)):
            return
        assign = _bound(node, context)
        target = None if assign is None else assign.targets[0].target
        model = tree.dotted(node.func.value)
        if assign is None or model is None:
            return
        if isinstance(target, cst.Attribute):
            self._check_attribute(assign, target, context)
        if not isinstance(target, cst.Name) or _KEPT.search(target.value):
            return
        statements, at = block(assign, context)
        later = statements[at + 1 :]
        if _is_rebound(target.value, statements):
            return
        use = next(_uses(target.value, model, later, context), None)
        if use is not None:
            context.report(self, use, because=[("it is taken here", assign)], confidence=LIKELY, name=target.value)

    def _check_attribute(self, assign: cst.Assign, target: cst.Attribute, context: Context) -> None:
        """``self.parameters = model.parameters()`` in `__init__`, read by a method that updates a model."""
        function, path = context.enclosing_function(assign), tree.dotted(target)
        owner = None if function is None or function.name != "__init__" else function.owner
        if owner is None or path is None or not path.startswith("self.") or _KEPT.search(target.attr.value):
            return
        for method in (value.code for value in owner.body.values() if isinstance(value, Function)):
            calls = [call for call in context.nodes(method.node.body, cst.Call) if _evaluates(call, path, context)]
            if calls and context.shared(Body, method.node.body).updates and method.module is context.module:
                context.report(self, calls[0], because=[("it is taken here", assign)], confidence=LIKELY, name=path)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(1, 1, bias=False)
        model.weight = mx.array([[1.0]])
        parameters = model.parameters()
        optim.SGD(0.5).update(model, {"weight": mx.array([[1.0]])})
        return Evidence(differs(parameters["weight"], [[0.5]]), agrees(model.parameters()["weight"], [[0.5]]))


def _bound(node: cst.Call, context: Context) -> cst.Assign | None:
    """The assignment of a tree, flattened or not."""
    parent: cst.CSTNode | None = context.parent(node)
    while isinstance(parent, cst.Arg):
        call = context.parent(parent)
        if not isinstance(call, cst.Call) or context.callee(call) not in _WRAPPERS:
            return None
        parent = context.parent(call)
    return parent if isinstance(parent, cst.Assign) and len(parent.targets) == 1 else None


def _is_rebound(name: str, statements: list[cst.CSTNode]) -> bool:
    """Whether a name is bound more than once."""
    bound = 0
    for statement in statements:
        for part in tree.walk(statement, SCOPES):
            if isinstance(part, (cst.AssignTarget, cst.AugAssign, cst.NamedExpr, cst.For)):
                bound += any(isinstance(n, cst.Name) and n.value == name for n in tree.walk(part.target))
    return bound > 1


def _uses(name: str, model: str, later: list[cst.CSTNode], context: Context) -> Iterator[cst.Call]:
    """The calls that evaluate, save or map a tree in a loop that updates the model, or after one."""
    updated = False
    for statement in later:
        if isinstance(statement, (cst.For, cst.While)):
            updated = updated or _updates(loop_body(statement), model, context)
        if updated:
            yield from (call for call in context.nodes(statement, cst.Call) if _reads(call, name, context))


def _updates(body: cst.CSTNode, model: str, context: Context) -> bool:
    """Whether a loop updates a model itself, or calls a function of the project that updates one."""
    own = {id(call): call for call in context.nodes(body, cst.Call)}
    for update in context.shared(Body, body).updates:
        if id(update) not in own:
            return True
        given = context.argument(update, 0, "model")
        if is_update(context.called(update)) and given is not None and tree.dotted(given) == model:
            return True
    return False


def _evaluates(call: cst.Call, path: str, context: Context) -> bool:
    is_read = (context.callee(call) or "").startswith(_READS)
    return is_read and any(tree.dotted(part) == path for arg in call.args for part in tree.walk(arg.value))


def _reads(call: cst.Call, name: str, context: Context) -> bool:
    if not (context.callee(call) or "").startswith(_READS):
        return False
    parts = [part for arg in call.args for part in tree.walk(arg.value)]
    attributes = {id(part.attr) for part in parts if isinstance(part, cst.Attribute)}
    return any(isinstance(part, cst.Name) and part.value == name and id(part) not in attributes for part in parts)
