from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Name, Sequence, Value
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    RemoveStatement,
    Replace,
    Rule,
    Severity,
    raises,
    shown,
)

from .._shared import is_mlx_alone
from ..lazy._statements import blocks_before
from ._gradients import is_gradients, is_module
from ._optimizers import as_optimizer, method_call

STEP = "its `step` counts the updates; `update(model, gradients)` applies gradients"
ZERO_GRAD = "gradients are returned anew by `nn.value_and_grad`, there is nothing to reset"


class TorchTrainingStep(Rule):
    """`optimizer.step()` and `zero_grad()` on MLX's optimizers

    ## What it does
    Finds calls of `step()` and `zero_grad()` on optimizers of `mlx.optimizers`, and of `zero_grad()` on modules. In a
    file that names no other framework also on what is not known, when a function calls `zero_grad()` on it.

    ## PyTorch and MLX
    PyTorch's optimizer holds the parameters and finds their gradients on them. MLX's holds no parameters: `update`
    is given the model and the gradients. `step` is an array that counts the updates and cannot be called, and
    `zero_grad` does not exist, since gradients do not accumulate by themselves.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=0.1)
    optimizer.zero_grad()
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    optimizer.update(model, gradients)
    mx.eval(model.parameters(), optimizer.state)
    ```

    ## Fix safety
    `zero_grad()` is left out, and `step()` becomes `update` with the model that is differentiated and the gradients at
    hand. It is unsafe: which these are is read from the code around.

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX202"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX's {kind} have no `{name}()`: {instead}"
    calls = frozenset({".step", ".zero_grad"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        method = method_call(node, "step", "zero_grad")
        if method is None:
            return
        name = method.attr.value
        owner = context.value(method.value)
        if as_optimizer(owner) is not None:
            kind = "optimizers"
        elif name == "zero_grad" and is_module(owner) and not _defines(owner, name):
            kind = "modules"
        elif owner is UNKNOWN and _is_reset(method.value, node, context) and is_mlx_alone(context):
            kind = "optimizers"
        else:
            return
        context.report(
            self,
            node,
            because=[] if owner is UNKNOWN else [method.value],
            confidence=Confidence.LIKELY if owner is UNKNOWN else Confidence.CERTAIN,
            kind=kind,
            name=name,
            instead=STEP if name == "step" else ZERO_GRAD,
            fix=_fix(node, method, context),
            repro={"name": name},
        )

    @staticmethod
    def repro(name: str = "step") -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
        before = model.bias.tolist()
        hazard = raises(lambda: getattr(optimizer, name)(), AttributeError, TypeError)
        optimizer.update(model, {"bias": model.bias * 0 + 1})
        return Evidence(hazard, shown(model.bias.tolist() != before, "update() changes the bias"))


def _is_reset(owner: cst.BaseExpression, place: cst.CSTNode, context: Context) -> bool:
    """Whether the gradients of something unknown are reset in the function, as PyTorch's loops do."""
    function, path = context.enclosing_function(place), dotted(owner)
    if function is None or path is None:
        return False
    calls = (part.func for part in context.walk(function.node.body) if isinstance(part, cst.Call) and not part.args)
    return any(isinstance(f, cst.Attribute) and f.attr.value == "zero_grad" and dotted(f.value) == path for f in calls)


def _defines(owner: object, name: str) -> bool:
    code = getattr(owner, "code", None)
    return code is not None and code.method(name) is not None


def _fix(call: cst.Call, method: cst.Attribute, context: Context) -> NodeFix | None:
    statement = context.parent(call)
    if not isinstance(statement, cst.Expr):
        return None
    if method.attr.value == "zero_grad":
        return NodeFix("Leave it out", [RemoveStatement(statement)], Applicability.UNSAFE)
    model, gradients = _differentiated(call, context), _gradients_before(call, context)
    if model is None or gradients is None or call.args or "#" in context.text(call):
        return None
    text = f"{context.text(method.value)}.update({model}, {gradients})"
    return NodeFix("Update the model", [Replace(call, text)], Applicability.UNSAFE)


def _differentiated(place: cst.CSTNode, context: Context) -> str | None:
    """What the model that is differentiated nearby is called at a place; None where there are several."""
    found = [
        call
        for call, called in context.module.calls.items()
        if isinstance(called, Name) and called.name == "mlx.nn.value_and_grad" and call.args
    ]
    for around in (context.enclosing_function, context.enclosing_class):
        found = [call for call in found if around(call) is around(place)] or found
    models = {_called_at(place, call.args[0].value, context) for call in found}
    return models.pop() if len(models) == 1 else None


def _called_at(place: cst.CSTNode, node: cst.BaseExpression, context: Context) -> str | None:
    """What something named elsewhere in the file is called at a place: the same, or an attribute that it was put in."""
    path, code = dotted(node), context.enclosing_function(node)
    if path is None or path.startswith("self.") or code is None or code is context.enclosing_function(place):
        return path
    for found in tree.walk(code.node.body):
        if isinstance(found, cst.Assign) and dotted(found.value) == path:
            kept = dotted(found.targets[0].target) or ""
            if kept.startswith("self."):
                return kept
    return None


def _gradients_before(node: cst.CSTNode, context: Context) -> str | None:
    """The name that was last given gradients before a place."""
    for statements in blocks_before(node, context):
        for statement in reversed(statements):
            if isinstance(statement, cst.Assign):
                for name, value in _bound(statement.targets[0].target, context.value(statement.value)):
                    if isinstance(name, cst.Name) and is_gradients(value):
                        return name.value
    return None


def _bound(target: cst.BaseExpression, value: Value) -> Iterator[tuple[cst.BaseExpression, Value]]:
    """The names that an assignment binds, each with its value."""
    if not isinstance(target, (cst.Tuple, cst.List)):
        yield target, value
    elif isinstance(value, Sequence) and value.items is not None and len(value.items) == len(target.elements):
        yield from ((element.value, item) for element, item in zip(target.elements, value.items, strict=True))
