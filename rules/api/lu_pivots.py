from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
    shown,
)

LU, LU_FACTOR = "mlx.core.linalg.lu", "mlx.core.linalg.lu_factor"


class LuPivots(Rule):
    """The permutation of `mx.linalg.lu` is used as PyTorch's

    ## What it does
    Finds the first result of `mx.linalg.lu` as an operand of `@`, and 1 taken off the pivots of
    `mx.linalg.lu_factor`.

    ## PyTorch and MLX
    `torch.linalg.lu` returns a permutation matrix `P` with `A = P @ L @ U`; MLX returns the indices `p` with
    `A = L[p] @ U`, which `@` multiplies without a word where the shapes allow it. The pivots of `lu_factor` count
    from 0, PyTorch's from 1.

    ## Example
    ```python
    import mlx.core as mx

    a = mx.array([[0.0, 1.0], [2.0, 3.0]])
    p, l, u = mx.linalg.lu(a, stream=mx.cpu)
    again = p @ l @ u
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    a = mx.array([[0.0, 1.0], [2.0, 3.0]])
    p, l, u = mx.linalg.lu(a, stream=mx.cpu)
    again = l[p] @ u
    ```

    ## Fix safety
    Unsafe: it takes the product for the one that restores the matrix.

    ## References
    - [mlx.core.linalg.lu](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.linalg.lu.html)
    """

    code = "MLX487"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "{problem}"
    calls = frozenset({"lu", "lu_factor"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        assigned = context.parent(node)
        if callee not in (LU, LU_FACTOR) or not isinstance(assigned, cst.Assign):
            return
        names = assigned.targets[0].target
        place = 0 if callee == LU else 1
        if not isinstance(names, (cst.Tuple, cst.List)) or len(names.elements) != (3 if callee == LU else 2):
            return
        name = names.elements[place].value
        if isinstance(name, cst.Name):
            self._check(node, name.value, callee == LU, context)

    def _check(self, call: cst.Call, name: str, is_matrix: bool, context: Context) -> None:
        function = context.enclosing(call, cst.FunctionDef)
        for node in walk(context.tree if function is None else function.body):
            if (
                not isinstance(node, cst.BinaryOperation)
                or not isinstance(node.left, cst.Name)
                or node.left.value != name
            ):
                continue
            because = [("it comes from here", call)]
            if is_matrix and isinstance(node.operator, cst.MatrixMultiply):
                problem = f"`{name}` holds the indices of a permutation, not its matrix: `{context.brief(node)}`"
                fix = None
                if isinstance(node.right, cst.Name):
                    text = f"{node.right.value}[{name}]"
                    fix = NodeFix(f"Permute the rows: `{text}`", [Replace(node, text)], Applicability.UNSAFE)
                context.report(self, node, because=because, confidence=Confidence.LIKELY, problem=problem, fix=fix)
            elif not is_matrix and isinstance(node.operator, cst.Subtract) and context.text(node.right) == "1":
                problem = f"`{name}` counts from 0 already"
                fix = NodeFix("Take them as they are", [Replace(node, name)], Applicability.UNSAFE)
                context.report(
                    self, node, because=because, confidence=Confidence.LIKELY, problem=problem, fix=fix,
                    repro={"case": "pivots"},
                )  # fmt: skip

    @staticmethod
    def repro(case: str = "permutation") -> Evidence:
        import mlx.core as mx

        a = mx.array([[0.0, 1.0], [2.0, 3.0]])
        p, lower, upper = mx.linalg.lu(a, stream=mx.cpu)
        if case == "pivots":
            pivots = mx.linalg.lu_factor(a, stream=mx.cpu)[1].tolist()
            return Evidence(shown(pivots != [2, 2], f"pivots {pivots}, PyTorch: [2, 2]"), agrees(lower[p] @ upper, a))
        return Evidence(differs(p @ lower @ upper, a), agrees(lower[p] @ upper, a))
