from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, Span, agrees, differs
from mlxlint.rules.indexing._copies import copied_from


class ChainedAssignment(Rule):
    """Assigning into the result of an index or a reshape

    ## What it does
    Finds `x[i][j] = v`, `x.T[0] = v`, `x.reshape(-1)[k] += v` and the like, where `x` is an MLX array.

    ## PyTorch and MLX
    In PyTorch `x[i]`, `x.T` and `x.view(-1)` share memory with `x`, so the assignment reaches `x`. In MLX each of
    them is a new array: the assignment changes a temporary that is dropped at once.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    x[0][1] = 5.0
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    x[0, 1] = 5.0
    ```

    ## Fix safety
    Unsafe: the assignment begins to have an effect. Offered where the first index is a single integer.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX103"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{copy}` is a new array in MLX: the assignment changes it and is lost, `{source}` stays as it was"
    targets = frozenset({cst.Subscript})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        if isinstance(node.target, cst.Subscript):
            self._check(node.target, context)

    def _check(self, target: cst.Subscript, context: Context) -> None:
        if isinstance(target.value, cst.Name):
            return
        source = copied_from(target.value, context)
        if source is None or isinstance(source, cst.Call):
            return
        context.report(
            self,
            target,
            because=[source],
            copy=context.brief(target.value),
            source=context.brief(source),
            fix=_merged(target, context),
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, y = mx.zeros((2, 2)), mx.zeros((2, 2))
        x[0][1] = 5.0
        y[0, 1] = 5.0
        return Evidence(differs(x, [[0, 5], [0, 0]]), agrees(y, [[0, 5], [0, 0]]))


def _merged(target: cst.Subscript, context: Context) -> NodeFix | None:
    """``x[i][j]`` as ``x[i, j]``, right where ``i`` takes one axis away."""
    inner = target.value
    if not isinstance(inner, cst.Subscript) or not all(isinstance(e.slice, cst.Index) for e in inner.slice):
        return None
    values = [context.value(e.slice.value) for e in inner.slice if isinstance(e.slice, cst.Index)]
    if not all(scalar_type(v) == "int" or constant(v, int) is not None for v in values):
        return None
    if "#" in context.text(target):
        return None
    indices = [context.text(e.slice) for e in (*inner.slice, *target.slice)]
    text = f"{context.text(inner.value)}[{', '.join(indices)}]"
    return NodeFix("Assign with one index", [Span(target, target, text)], Applicability.UNSAFE)
