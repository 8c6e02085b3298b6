from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
)
from mlxlint.rules.api._differentiated import Flow, differentiated

ARITHMETIC = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.MatrixMultiply)
DISCRETE = frozenset({"bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
ASTYPE = "mlx.core.array.astype"
LONGEST = 6


class GradientThroughCast(Rule):
    """A cast to integers or bools that lets the gradient pass

    ## What it does
    Finds `astype` to an integer dtype or `bool_` of something that is differentiated, where the result goes on into
    arithmetic.

    ## PyTorch and MLX
    PyTorch's integer and bool tensors have no gradient: a cast is a constant. MLX passes the gradient straight
    through `astype`, as if the value had not been truncated, so that the gradient has a term too many.

    ## Example
    ```python
    import mlx.core as mx


    def loss(x):
        whole = x.astype(mx.int32)
        return (whole * x).sum()


    gradient = mx.grad(loss)(mx.array([1.7, 2.2]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(x):
        whole = mx.stop_gradient(x.astype(mx.int32))
        return (whole * x).sum()


    gradient = mx.grad(loss)(mx.array([1.7, 2.2]))
    ```

    ## Fix safety
    Unsafe: gradients change. A straight-through estimator, which wants the gradient to pass, is broken by it.

    ## References
    - [mlx.core.stop_gradient](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.stop_gradient.html)
    """

    code = "MLX478"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "the gradient passes through `{cast}` as if nothing were cut off; PyTorch has none there"

    def visit_Module(self, node: cst.Module, context: Context) -> None:
        reported: set[cst.CSTNode] = set()
        for flow in differentiated(context):
            for found in flow.nodes():
                if isinstance(found, cst.BinaryOperation) and isinstance(found.operator, ARITHMETIC):
                    if (array := context.array(found)) is not None and array.dtype in DISCRETE:
                        continue  # of what is counted nothing is differentiated as a rule
                    for side in (found.left, found.right):
                        cast = _cast(side, flow, context)
                        if cast is not None and cast not in reported:
                            reported.add(cast)
                            self._report(cast, context)

    def _report(self, cast: cst.Call, context: Context) -> None:
        mx = context.alias("mlx.core") or "mx"
        edits = [Insert(cast, f"{mx}.stop_gradient("), Insert(cast, ")", after=True)]
        fix = NodeFix("Stop the gradient", edits, Applicability.UNSAFE)
        context.report(self, cast, confidence=Confidence.LIKELY, cast=context.brief(cast), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([1.7, 2.2])
        passed = mx.grad(lambda v: (v.astype(mx.int32) * v).sum())(x)
        stopped = mx.grad(lambda v: (mx.stop_gradient(v.astype(mx.int32)) * v).sum())(x)
        return Evidence(differs(passed, [1.0, 2.0]), agrees(stopped, [1.0, 2.0]))


def _cast(node: cst.CSTNode | None, flow: Flow, context: Context) -> cst.Call | None:
    """The cast to a discrete dtype of something differentiated that an operand comes from, through names and casts."""
    for _ in range(LONGEST):
        if isinstance(node, cst.Name):
            array = context.array(node)
            node = None if array is None or array.node is node else array.node
        elif isinstance(node, cst.Subscript):
            node = node.value
        elif isinstance(node, cst.Call) and context.callee(node) == ASTYPE and isinstance(node.func, cst.Attribute):
            result, subject = context.array(node), context.array(node.func.value)
            if result is not None and result.dtype in DISCRETE:
                from_floats = subject is not None and (subject.dtype is None or subject.dtype in dtypes.FLOATS)
                return node if from_floats and flow.depends(node.func.value) else None
            node = node.func.value
        else:
            return None
    return None
