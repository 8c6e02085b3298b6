from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Confidence, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._shared import with_keyword

ROWS = frozenset(
    {
        "y",
        "ys",
        "yy",
        "gy",
        "cy",
        "row",
        "rows",
        "grid_y",
        "y_grid",
        "h",
        "hs",
        "i",
        "ii",
        "height",
        "y_coords",
        "coords_h",
    }
)


class MeshgridIndexing(Rule):
    """`meshgrid` without `indexing`

    ## What it does
    Finds `mx.meshgrid` without `indexing`. It is a warning where rows come first in what is given or unpacked, or
    in a file that speaks of PyTorch, and information elsewhere.

    ## PyTorch and MLX
    `torch.meshgrid` defaults to `indexing="ij"` (rows first), `mx.meshgrid` to `"xy"`, as NumPy: the first two axes
    of the results are swapped.

    ## Example
    ```python
    import mlx.core as mx

    rows, columns = mx.meshgrid(mx.arange(2), mx.arange(3))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    rows, columns = mx.meshgrid(mx.arange(2), mx.arange(3), indexing="ij")
    ```

    ## Fix safety
    Unsafe: right where PyTorch's default is meant; the results change.

    ## References
    - [mlx.core.meshgrid](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.meshgrid.html)
    """

    code = "MLX455"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`mx.meshgrid` indexes `xy` by default, `torch.meshgrid` `ij`: say which with `indexing`"
    calls = frozenset({"meshgrid"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.meshgrid":
            return
        arguments = context.arguments(node)
        if arguments.starred or "indexing" in arguments.keywords or len(arguments.positional) < 2:
            return
        fix = NodeFix("Put rows first", [with_keyword(node, 'indexing="ij"', context)], Applicability.UNSAFE)
        report = context.report if _rows_first(node, context) else context.report_default
        report(self, node, confidence=Confidence.LIKELY, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        rows, columns = mx.arange(2), mx.arange(3)
        expected = [[0, 0, 0], [1, 1, 1]]
        hazard = differs(mx.meshgrid(rows, columns)[0], expected)
        return Evidence(hazard, agrees(mx.meshgrid(rows, columns, indexing="ij")[0], expected))


def _rows_first(node: cst.Call, context: Context) -> bool:
    """Whether names say that the first argument, or the first result, runs over rows."""
    parent = context.parent(node)
    target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
    names = [node.args[0].value, target.elements[0].value if isinstance(target, (cst.Tuple, cst.List)) else None]
    return any(isinstance(name, cst.Name) and name.value.lower() in ROWS for name in names)
