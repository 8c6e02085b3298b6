from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import children, dotted, walk
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, shown
from mlxlint.rules._shared import returned
from mlxlint.rules.api._differentiated import Flow, differentiated, is_layer
from mlxlint.rules.layers._losses import first

DECIDING = frozenset(
    prefix + name
    for prefix in ("mlx.core.", "mlx.core.array.")
    for name in """argmax argmin argsort argpartition greater greater_equal less less_equal equal not_equal isnan isinf
    isfinite array_equal allclose isclose floor_divide""".split()
)
SILENT = frozenset({"mlx.core.stop_gradient", "mlx.core.zeros_like", "mlx.core.ones_like", "builtins.len"})
PLAIN = frozenset({"shape", "ndim", "size", "dtype", "nbytes", "itemsize"})
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_PASSES = 4
_GROWING = frozenset({"append", "extend"})


class GradientOfNothing(Rule):
    """A differentiated function whose result depends on its argument by decisions only

    ## What it does
    Finds functions given to `mx.grad`, `mx.value_and_grad` or `nn.value_and_grad` that return something computed by
    comparisons, `argmax`, `argsort` and the like alone: an accuracy in place of a loss.

    ## PyTorch and MLX
    PyTorch raises: `element 0 of tensors does not require grad`. MLX returns gradients of zero, and the training
    changes nothing.

    ## Example
    ```python
    import mlx.core as mx


    def loss(w, labels):
        return (mx.argmax(w, axis=-1) != labels).astype(mx.float32).mean()


    gradient = mx.grad(loss)(mx.ones((4, 3)), mx.array([0, 1, 2, 0]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    def loss(w, labels):
        return nn.losses.cross_entropy(w, labels, reduction="mean")


    gradient = mx.grad(loss)(mx.ones((4, 3)), mx.array([0, 1, 2, 0]))
    ```

    ## References
    - [mlx.core.grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.grad.html)
    """

    code = "MLX434"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = (
        "`{function}` is differentiated, and its result depends on `{names}` by decisions only: the gradient is zero"
    )

    def visit_Module(self, node: cst.Module, context: Context) -> None:
        for flow in differentiated(context):
            given = _models(flow) if flow.model is not None else _given(flow)
            if not flow.is_whole or not given or _acts(flow):
                continue
            touched, carrying = _spread(flow, given, True), _spread(flow, given, False)
            for result in map(first, returned(flow.code)):
                if touched.reach(result) and not carrying.reach(result):
                    context.report(
                        self, result, confidence=Confidence.LIKELY, function=flow.code.name, names=", ".join(given)
                    )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        w = mx.array([1.0, 2.0])
        zero = mx.grad(lambda v: (v > 1.5).astype(mx.float32).sum())(w)
        moved = mx.grad(lambda v: mx.sigmoid(v - 1.5).sum())(w)
        hazard = shown(zero.tolist() == [0.0, 0.0], f"gradient of a comparison: {zero.tolist()}")
        return Evidence(hazard, agrees((moved > 0).all(), True))


def _given(flow: Flow) -> list[str]:
    return [param.name.value for param in flow.code.positional if param.name.value in flow.names]


def _models(flow: Flow) -> list[str]:
    """The names of what is called as a model, or of the objects that hold it."""
    calls = [node for node in flow.nodes() if isinstance(node, cst.Call)]
    called = [c.func for c in calls if is_layer(flow.context.called(c)) or dotted(c.func) == flow.model]
    return sorted({name for function in called for name in _bound(function)})


class _Names(NamedTuple):
    """Names that depend on what is differentiated: ``through`` decisions as well, or only in a way that carries on."""

    names: set[str]
    through: bool
    context: Context

    def reach(self, node: cst.CSTNode) -> bool:
        """Whether an expression depends on one of the names."""
        if isinstance(node, cst.Name):
            return node.value in self.names
        if isinstance(node, cst.Attribute):
            return node.attr.value not in PLAIN and self.reach(node.value)
        if isinstance(node, (cst.BaseString, cst.BaseNumber, *_SCOPES)):
            return False
        if isinstance(node, cst.Comparison) or (
            isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.FloorDivide)
        ):
            return self.through and any(map(self.reach, children(node)))
        if isinstance(node, cst.Subscript) and not self.through:
            return self.reach(node.value)
        if isinstance(node, cst.Call):
            return self._reach_call(node)
        return any(map(self.reach, children(node)))

    def _reach_call(self, node: cst.Call) -> bool:
        callee = self.context.callee(node)
        if callee in SILENT or (callee in DECIDING and not self.through):
            return False
        args = node.args[1:] if callee == "mlx.core.where" and not self.through else node.args
        return self.reach(node.func) or any(self.reach(arg.value) for arg in args)


def _spread(flow: Flow, given: list[str], through: bool) -> _Names:
    """The parameters and what is assigned from them."""
    found = _Names(set(given), through, flow.context)
    for _ in range(_PASSES):
        before = len(found.names)
        for node in flow.nodes():
            if isinstance(node, (cst.Assign, cst.AugAssign, cst.AnnAssign, cst.NamedExpr)):
                if node.value is not None and found.reach(node.value):
                    targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
                    found.names.update(name for target in targets for name in _bound(target))
            elif isinstance(node, (cst.For, cst.CompFor)) and found.reach(node.iter):
                found.names.update(_bound(node.target))
            elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
                grows = node.func.attr.value in _GROWING and any(found.reach(arg.value) for arg in node.args)
                found.names.update(_bound(node.func.value) if grows else ())
        if len(found.names) == before:
            break
    return found


def _bound(target: cst.BaseExpression) -> list[str]:
    """The names that a target binds or writes into."""
    if isinstance(target, (cst.Tuple, cst.List)):
        return [name for element in target.elements for name in _bound(element.value)]
    while isinstance(target, (cst.Subscript, cst.Attribute)):
        target = target.value
    return [target.value] if isinstance(target, cst.Name) else []


def _acts(flow: Flow) -> bool:
    """Whether a function does more than compute: it has functions of its own, or calls something for its effect."""
    body = flow.code.node.body
    own = any(isinstance(node, _SCOPES) for node in walk(body))
    effects = (n for n in flow.nodes() if isinstance(n, cst.Expr) and isinstance(n.value, cst.Call) and n.value.args)
    return own or any(not _grows(cst.ensure_type(effect.value, cst.Call)) for effect in effects)


def _grows(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value in _GROWING
