from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    shown,
)
from mlxlint.rules._shared import with_keyword

SVD = "mlx.core.linalg.svd"
LARGE, TIMES = 1000, 4


class FullDecomposition(Rule):
    """A singular value decomposition of which most is not used

    ## What it does
    Finds `mx.linalg.svd` of a matrix that is known to be much longer in one direction than in the other, and of which
    only the singular values are used (`_, s, _ = mx.linalg.svd(x)`).

    ## PyTorch and MLX
    `torch.linalg.svd` has `full_matrices=False`, and `torch.svd` is reduced by default. MLX always builds both square
    factors: 10,000 rows mean 400 MB for `U`, whatever the columns.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.random.normal((4000, 8))
    u, s, vt = mx.linalg.svd(x, stream=mx.cpu)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.random.normal((4000, 8))
    q, r = mx.linalg.qr(x, stream=mx.cpu)
    u, s, vt = mx.linalg.svd(r, stream=mx.cpu)
    u = q @ u
    ```

    ## Fix safety
    Where only the singular values are used, the fix computes nothing else, which is safe. Tall matrices have no fix.

    ## References
    - [mlx.core.linalg.svd](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.linalg.svd.html)
    """

    code = "MLX440"
    kind = Kind.COST
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "{problem}"
    calls = frozenset({"svd"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != SVD or not node.args or context.argument(node, 1, "compute_uv") is not None:
            return
        array = context.array(node.args[0].value)
        side = None if array is None else _long_side(array)
        values = _only_values(node, context)
        if values is not None:
            problem = "both square factors are computed, and only the singular values are used"
            context.report(
                self, node, severity=Severity.INFO, problem=problem, fix=_values_alone(node, values, context)
            )
        elif side is not None:
            problem = f"a square factor of {side} x {side} is computed, for a matrix that is much narrower"
            context.report(self, node, because=[node.args[0].value], problem=problem)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.random.normal((400, 4))
        u, s, vt = mx.linalg.svd(x, stream=mx.cpu)
        q, r = mx.linalg.qr(x, stream=mx.cpu)
        reduced, s, vt = mx.linalg.svd(r, stream=mx.cpu)
        hazard = shown(u.shape == (400, 400), f"U has the shape {u.shape} for an input of {x.shape}")
        return Evidence(hazard, agrees(((q @ reduced) * s) @ vt, x, 1e-3))


def _long_side(array: Array) -> int | None:
    shape = array.shape or ()
    rows, columns = shape[-2:] if len(shape) > 1 else (None, None)
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    return max(rows, columns) if max(rows, columns) >= max(LARGE, TIMES * min(rows, columns)) else None


def _only_values(node: cst.Call, context: Context) -> cst.Tuple | None:
    """The target ``_, s, _`` to which the result is unpacked."""
    assignment = context.parent(node)
    if not isinstance(assignment, cst.Assign) or len(assignment.targets) != 1:
        return None
    target = assignment.targets[0].target
    if not isinstance(target, cst.Tuple) or len(target.elements) != 3:
        return None
    names = [e.value.value if isinstance(e.value, cst.Name) else "" for e in target.elements]
    return target if names[0] == names[2] == "_" and names[1] not in ("", "_") else None


def _values_alone(node: cst.Call, target: cst.Tuple, context: Context) -> NodeFix:
    edits: list[NodeEdit] = [
        Replace(target, context.text(target.elements[1].value)), with_keyword(node, "compute_uv=False", context)
    ]  # fmt: skip
    return NodeFix("Compute the singular values alone", edits, Applicability.SAFE)
