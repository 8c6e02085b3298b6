from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

CLIP = "mlx.optimizers.clip_grad_norm"


class ClippedGradientsDropped(Rule):
    """The clipped gradients are thrown away

    ## What it does
    Finds calls of `optim.clip_grad_norm` as a statement, and those of which only the norm is kept.

    ## PyTorch and MLX
    PyTorch clips in place and returns the norm. MLX changes nothing: it returns the clipped gradients and the norm,
    and an update with the old gradients is not clipped.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.optimizers as optim

    gradients = {"w": mx.array([3.0, 4.0])}
    optim.clip_grad_norm(gradients, 1.0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.optimizers as optim

    gradients = {"w": mx.array([3.0, 4.0])}
    gradients, norm = optim.clip_grad_norm(gradients, 1.0)
    ```

    ## Fix safety
    The fix keeps the clipped gradients under the name of the old ones. It is unsafe, since it changes the training.

    ## References
    - [clip_grad_norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.optimizers.clip_grad_norm.html)
    """

    code = "MLX207"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"clip_grad_norm"})
    message = "`clip_grad_norm` returns the clipped gradients{kept}: the gradients themselves are not clipped"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != CLIP:
            return
        if context.is_dropped(node):
            context.report(self, node, kept="", severity=Severity.ERROR, fix=_keep_both(node, context))
            return
        norm = _only_norm(node, context)
        if norm is not None:
            context.report(self, norm, kept=", and only the norm is kept", fix=_keep_gradients(norm, node, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.optimizers as optim

        gradients = {"w": mx.array([3.0, 4.0])}
        clipped, _ = optim.clip_grad_norm(gradients, 1.0)
        return Evidence(differs(gradients["w"], [0.6, 0.8]), agrees(clipped["w"], [0.6, 0.8]))


def _gradients(node: cst.Call, context: Context) -> cst.BaseExpression | None:
    """The gradients that are clipped, where they can be assigned to."""
    given = context.argument(node, 0, "grads")
    return given if isinstance(given, (cst.Name, cst.Attribute)) else None


def _only_norm(node: cst.Call, context: Context) -> cst.CSTNode | None:
    """The statement ``_, norm = clip(...)`` or the expression ``clip(...)[1]`` around a call."""
    parent = context.parent(node)
    if isinstance(parent, cst.Subscript):
        index = parent.slice[0].slice
        return parent if isinstance(index, cst.Index) and context.text(index.value) in ("1", "-1") else None
    if isinstance(parent, cst.Assign) and isinstance(parent.targets[0].target, (cst.Tuple, cst.List)):
        first = parent.targets[0].target.elements[0].value
        return parent if isinstance(first, cst.Name) and first.value.strip("_") == "" else None
    return None


def _keep_both(node: cst.Call, context: Context) -> NodeFix | None:
    gradients = _gradients(node, context)
    if gradients is None:
        return None
    return NodeFix(
        "Keep the clipped gradients", [Insert(node, f"{context.text(gradients)}, _ = ")], Applicability.UNSAFE
    )


def _keep_gradients(place: cst.CSTNode, node: cst.Call, context: Context) -> NodeFix | None:
    gradients, title = _gradients(node, context), "Keep the clipped gradients"
    if gradients is None:
        return None
    if isinstance(place, cst.Assign) and isinstance(place.targets[0].target, (cst.Tuple, cst.List)):
        ignored = place.targets[0].target.elements[0].value
        return NodeFix(title, [Replace(ignored, context.text(gradients))], Applicability.UNSAFE)
    assign = context.parent(place)
    if isinstance(assign, cst.Assign) and len(assign.targets) == 1 and assign.value is place:
        first = Insert(assign.targets[0].target, f"{context.text(gradients)}, ")
        return NodeFix(title, [first, Replace(place, context.text(node))], Applicability.UNSAFE)
    return None
