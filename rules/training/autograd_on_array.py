from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

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


class AutogradOnArray(Rule):
    """Autograd is looked for on an array

    ## What it does
    Finds `backward`, `grad`, `requires_grad`, `requires_grad_`, `detach`, `retain_grad`, `register_hook`, `grad_fn`
    and `is_leaf` on an MLX array, read, called or assigned to.

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
    `x.detach()` becomes `mx.stop_gradient(x)`, which is the same; it is safe where `x` is surely an MLX array.

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
        if array is None:
            return
        context.report(
            self,
            node,
            because=[node.value],
            name=name,
            instead=INSTEAD[name],
            fix=_stopped(node, array, context),
            repro={"name": name},
        )

    @staticmethod
    def repro(name: str = "backward") -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0])
        hazard = raises(lambda: getattr((x * x).sum(), name), AttributeError, text=name)
        return Evidence(hazard, agrees(mx.grad(lambda v: (v * mx.stop_gradient(v)).sum())(x), [1.0, 2.0]))


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
