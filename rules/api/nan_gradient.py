from __future__ import annotations

import itertools

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import UNKNOWN, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, shown
from mlxlint.rules._operations import Operation, operation
from mlxlint.rules.api._differentiated import Flow, differentiated

OPERATIONS = frozenset({"linalg.norm", "std", "arctan2", "power"})
WHERE = {
    "linalg.norm": "where all is zero",
    "std": "where all is equal",
    "arctan2": "where both are zero",
    "power": "at zero for the exponent 0",
}


class NanGradient(Rule):
    """A gradient that is NaN where PyTorch's is zero

    ## What it does
    Finds `mx.linalg.norm`, `mx.std`, `mx.arctan2` and powers with an exponent of 0 in differentiated functions,
    applied to what is differentiated.

    ## PyTorch and MLX
    PyTorch defines these gradients as 0 where they do not exist: the norm of a zero vector, the standard deviation of
    equal numbers, the angle of the origin. In MLX they are NaN, and after one optimizer step so is every parameter.

    ## Example
    ```python
    import mlx.core as mx


    def distance(a, b):
        return mx.linalg.norm(a - b, axis=-1).sum()


    gradient = mx.grad(distance)(mx.zeros((2, 3)), mx.zeros((2, 3)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def distance(a, b):
        squares = mx.square(a - b).sum(axis=-1)
        return mx.sqrt(mx.maximum(squares, 1e-12)).sum()


    gradient = mx.grad(distance)(mx.zeros((2, 3)), mx.zeros((2, 3)))
    ```

    ## References
    - [mlx.core.linalg.norm](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.linalg.norm.html)
    """

    code = "MLX477"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "the gradient of `{expression}` is NaN {where}; PyTorch's is 0"

    def visit_Module(self, node: cst.Module, context: Context) -> None:
        for flow in differentiated(context):
            for found in flow.nodes():
                if isinstance(found, cst.Call):
                    self._check_call(found, flow, context)
                elif isinstance(found, cst.BinaryOperation) and isinstance(found.operator, cst.Power):
                    if constant(context.value(found.right), int) == 0 and flow.depends(found.left):
                        self._report(found, "power", Severity.WARNING, context)

    def _check_call(self, call: cst.Call, flow: Flow, context: Context) -> None:
        found = operation(call, context, OPERATIONS)
        if found is None or not flow.depends(call) or _is_stopped(call, flow, context):
            return
        if found.name == "linalg.norm" and _is_smooth(found, context):
            return
        if found.name == "power" and constant(context.value(found.argument(0)), int) != 0:
            return
        subject = _behind(found.subject, context)
        if _is_kept_away(subject, context):
            return
        meets_zero = found.name in ("std", "power") or _is_difference(subject)
        self._report(call, found.name, Severity.WARNING if meets_zero else Severity.INFO, context)

    def _report(self, node: cst.CSTNode, name: str, severity: Severity, context: Context) -> None:
        context.report(
            self, node, confidence=Confidence.LIKELY, severity=severity, expression=context.brief(node),
            where=WHERE[name], repro={"operation": name},
        )  # fmt: skip

    @staticmethod
    def repro(operation: str = "linalg.norm") -> Evidence:
        import mlx.core as mx

        functions = {
            "linalg.norm": mx.linalg.norm,
            "std": mx.std,
            "arctan2": lambda x: mx.arctan2(x, x).sum(),
            "power": lambda x: (x**0).sum(),
        }
        gradient = mx.grad(functions[operation])(mx.zeros((2,)))
        hazard = shown(mx.isnan(gradient).all().item(), f"gradient in MLX: {gradient.tolist()}, PyTorch: [0.0, 0.0]")
        safe = mx.grad(lambda x: mx.sqrt(mx.maximum(mx.square(x).sum(), 1e-12)))(mx.zeros((2,)))
        return Evidence(hazard, agrees(safe, [0.0, 0.0]))


def _is_stopped(call: cst.Call, flow: Flow, context: Context) -> bool:
    """Whether the name that gets the result is read, further on, under ``stop_gradient`` alone."""
    statement = context.enclosing(call, cst.Assign)
    target = statement.targets[0].target if statement is not None else None
    if not isinstance(target, cst.Name):
        return False
    after = itertools.dropwhile(lambda node: node is not statement, flow.nodes())
    own = set(context.walk(statement)) if statement is not None else set()
    return not any(isinstance(n, cst.Name) and n.value == target.value and n not in own for n in after)


def _is_smooth(found: Operation, context: Context) -> bool:
    """Whether a norm is of another order than 2, whose gradient is 0 at zero in MLX as well."""
    order = found.argument(0, "ord")
    value = context.value(order)
    return order is not None and constant(value, object) not in (None, 2, 2.0, "fro") and value is not UNKNOWN


def _behind(node: cst.BaseExpression, context: Context) -> cst.CSTNode:
    """The expression that a name stands for."""
    array = context.array(node) if isinstance(node, cst.Name) else None
    return array.node if array is not None and array.node is not None else node


def _is_kept_away(node: cst.CSTNode, context: Context) -> bool:
    """Whether something is added that keeps a value away from zero."""
    return (
        isinstance(node, cst.BinaryOperation)
        and isinstance(node.operator, cst.Add)
        and any(
            constant(context.value(side), (int, float)) is not None or "eps" in context.text(side).lower()
            for side in (node.left, node.right)
        )
    )


def _is_difference(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Subtract)
