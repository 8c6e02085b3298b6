from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import CERTAIN, UNKNOWN, Array, Instance
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    RemoveStatement,
    Replace,
    Rule,
    Severity,
    agrees,
    raises,
)

from .._shared import is_mlx_alone
from ..layers._freezing import freezing
from ..lazy._statements import blocks_before
from ._gradients import is_module

INSTEAD = {
    "backward": "gradients come from `nn.value_and_grad(model, loss_fn)`",
    "detach": "`mx.stop_gradient(x)` lets no gradient through",
    "detach_": "`mx.stop_gradient(x)` lets no gradient through",
    "grad": "`nn.value_and_grad` returns the gradients",
    "grad_fn": "arrays know nothing of gradients",
    "is_leaf": "arrays know nothing of gradients",
    "register_hook": "`mx.custom_function` sets a gradient",
    "requires_grad": "`freeze()` and `unfreeze()` of a module say what is trained",
    "requires_grad_": "`freeze()` and `unfreeze()` of a module say what is trained",
    "retain_grad": "differentiate with respect to that value",
}
_OF_TENSORS_ALONE = frozenset({"requires_grad", "requires_grad_", "retain_grad"})


class AutogradOnArray(Rule):
    """Autograd is looked for on an array

    ## What it does
    Finds `backward`, `grad`, `requires_grad`, `requires_grad_`, `detach`, `retain_grad`, `register_hook`, `grad_fn`
    and `is_leaf` on an MLX array, read, called or assigned to. In files that name no other framework `backward()`,
    `requires_grad`, `requires_grad_` and `retain_grad` are found on what is not known, too.

    ## PyTorch and MLX
    A tensor records how it was computed, and `backward()` leaves the gradients on the parameters. An MLX array
    records nothing: `mx.grad` and `nn.value_and_grad` turn a function into one that returns gradients. All these
    attributes are missing, so that reading or setting one raises `AttributeError`.

    ## Example
    ```python
    import mlx.core as mx

    w = mx.array([1.0, 2.0])
    loss = (w * w).sum()
    loss.backward()
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    w = mx.array([1.0, 2.0])
    gradient = mx.grad(lambda w: (w * w).sum())(w)
    ```

    ## Fix safety
    `x.detach()` becomes `mx.stop_gradient(x)`, which is the same; it is safe where `x` is surely an MLX array. A loss
    of one expression and its `backward()` become one call of `nn.value_and_grad`. That is unsafe: gradients are with
    respect to the one model that the expression calls, and code that reads them elsewhere is not changed. Loops that
    set `requires_grad` of all parameters become `freeze()` or `unfreeze()`.

    ## References
    - [Function transforms](https://ml-explore.github.io/mlx/build/html/usage/function_transforms.html)
    """

    code = "MLX200"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX arrays have no `{name}`: {instead}"
    targets = frozenset({cst.Attribute})
    attributes = frozenset(INSTEAD)

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        self._check(node, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Attribute):
                self._check(target.target, context)

    def _check(self, node: cst.Attribute, context: Context) -> None:
        name = node.attr.value
        if name not in INSTEAD:
            return
        array = context.array(node.value)
        if array is None and not _is_meant_for_array(node, context):
            return
        context.report(
            self,
            node,
            because=[node.value] if array is not None else [],
            confidence=Confidence.CERTAIN if array is not None else Confidence.LIKELY,
            name=name,
            instead=INSTEAD[name],
            fix=(_stopped(node, array, context) if array is not None else None)
            or _differentiated(node, context)
            or _frozen(node, context),
            repro={"name": name},
        )

    @staticmethod
    def repro(name: str = "backward") -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0])
        hazard = raises(lambda: getattr((x * x).sum(), name), AttributeError, text=name)
        return Evidence(hazard, agrees(mx.grad(lambda v: (v * mx.stop_gradient(v)).sum())(x), [1.0, 2.0]))


def _is_meant_for_array(node: cst.Attribute, context: Context) -> bool:
    """Whether PyTorch's name is asked for on something unknown, where nothing but MLX's arrays can be meant."""
    if context.value(node.value) is not UNKNOWN or not is_mlx_alone(context):
        return False
    call = context.parent(node)
    is_bare_call = (
        isinstance(call, cst.Call) and call.func is node and all(arg.keyword is not None for arg in call.args)
    )
    return is_bare_call if node.attr.value == "backward" else node.attr.value in _OF_TENSORS_ALONE


def _stopped(node: cst.Attribute, array: Array, context: Context) -> NodeFix | None:
    call = context.parent(node)
    mx = context.alias("mlx.core")
    if (
        node.attr.value != "detach"
        or mx is None
        or not isinstance(call, cst.Call)
        or call.func is not node
        or call.args
    ):
        return None
    applicability = Applicability.SAFE if array.confidence == CERTAIN else Applicability.UNSAFE
    return NodeFix(
        "Use `mx.stop_gradient`", [Replace(call, f"{mx}.stop_gradient({context.text(node.value)})")], applicability
    )


def _frozen(node: cst.Attribute, context: Context) -> NodeFix | None:
    """A loop over parameters that sets this on each becomes one call of the module."""
    loop = context.enclosing(node, cst.For)
    return freezing(loop, context) if loop is not None and node.attr.value.startswith("requires_grad") else None


def _differentiated(node: cst.Attribute, context: Context) -> NodeFix | None:
    """``loss = f(model(x)); loss.backward()`` becomes a call of ``nn.value_and_grad`` that gives the gradients too."""
    call = context.parent(node)
    dropped = context.parent(call) if isinstance(call, cst.Call) and call.func is node and not call.args else None
    if node.attr.value != "backward" or not isinstance(dropped, cst.Expr) or not isinstance(node.value, cst.Name):
        return None
    loss, module = node.value.value, context.importing("mlx.nn", "nn")
    assign = _assignment(loss, node, context)
    model = None if assign is None else _model(assign.value, context)
    gradients = next((name for name in ("grads", "gradients") if name not in context.module.text), None)
    if assign is None or model is None or gradients is None or module is None or "#" in context.text(assign):
        return None
    nn, imports = module
    text = f"{loss}, {gradients} = {nn}.value_and_grad({model}, lambda: {context.text(assign.value)})()"
    edits: list[NodeEdit] = [*imports, Replace(assign, text), RemoveStatement(dropped)]
    return NodeFix("Use `nn.value_and_grad`", edits, Applicability.UNSAFE)


def _assignment(name: str, node: cst.CSTNode, context: Context) -> cst.Assign | None:
    """The statement of the same block that gave a name its value before a place."""
    for statement in reversed(blocks_before(node, context)[0]):
        if isinstance(statement, cst.Assign) and tree.dotted(statement.targets[0].target) == name:
            return statement if len(statement.targets) == 1 else None
    return None


def _model(loss: cst.BaseExpression, context: Context) -> str | None:
    """The one module that an expression calls or hands to a function."""
    named = [
        part
        for call in tree.walk(loss)
        if isinstance(call, cst.Call)
        for part in (call.func, *(arg.value for arg in call.args))
        if isinstance(context.value(part), Instance) and is_module(context.value(part))
    ]
    models = {tree.dotted(part) for part in named}
    return models.pop() if len(models) == 1 else None
