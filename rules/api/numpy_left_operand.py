from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.foreign import NDARRAY, NUMPY_SCALAR
from mlxlint.model.values import Foreign, Value, members
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

SWAPPED = (cst.Add, cst.Multiply)


class NumpyLeftOperand(Rule):
    """A NumPy value on the left of an MLX array

    ## What it does
    Finds arithmetic with a NumPy scalar or array on the left and an MLX array on the right. For arrays on the left
    it is information, since comparing with NumPy is often meant.

    ## PyTorch and MLX
    `np.sqrt(2.0) * tensor` stays a tensor. With an MLX array on the right NumPy takes over: the result is a NumPy
    array of float64, no gradient flows through it, and under `mx.compile` or `mx.grad` it raises. On the right of
    an MLX array a NumPy scalar is fine.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    scaled = np.sqrt(64.0) * mx.ones((3,))
    ```

    ## Use instead
    ```python
    import math

    import mlx.core as mx

    scaled = math.sqrt(64.0) * mx.ones((3,))
    ```

    ## Fix safety
    Unsafe: the result becomes an MLX array of the array's own dtype.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX466"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{left}` is a NumPy {kind_}: the result leaves MLX and is a NumPy array"

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        kind = _numpy(context.value(node.left))
        if kind is None or context.array(node.right) is None or _given_to_numpy(node, context):
            return
        fix = None
        if (
            isinstance(node.operator, SWAPPED)
            and isinstance(node.left, (cst.Call, cst.Name, cst.Attribute))
            and kind == "scalar"
        ):
            fix = NodeFix(
                "Make it a Python number",
                [Replace(node.left, f"float({context.text(node.left)})")],
                Applicability.UNSAFE,
            )
        severity = Severity.WARNING if kind == "scalar" else Severity.INFO
        context.report(
            self, node, because=[node.left, node.right], severity=severity,
            left=context.brief(node.left), kind_=kind, fix=fix,
            repro={"scalar": kind == "scalar"},
        )  # fmt: skip

    @staticmethod
    def repro(scalar: bool = True) -> Evidence:
        import mlx.core as mx
        import numpy as np

        left = np.sqrt(4.0) if scalar else np.full((2,), 2.0)
        got, kept = left * mx.ones((2,)), float(np.sqrt(4.0)) * mx.ones((2,))
        hazard = shown(isinstance(got, np.ndarray), f"the result is a {type(got).__name__} of {got.dtype}")
        return Evidence(
            hazard, shown(isinstance(kept, mx.array), f"the result is a {type(kept).__name__} of {kept.dtype}")
        )


def _numpy(value: Value) -> str | None:
    kinds = {m.type if isinstance(m, Foreign) else None for m in members(value)}
    return "scalar" if kinds == {NUMPY_SCALAR} else "array" if kinds == {NDARRAY} else None


def _given_to_numpy(node: cst.CSTNode, context: Context) -> bool:
    """Whether the result is used by NumPy anyway: as in ``np.abs(expected - got).max()``."""
    return any(
        isinstance(a, cst.Call) and (context.callee(a) or "").startswith("numpy.") for a in context.ancestors(node)
    )
