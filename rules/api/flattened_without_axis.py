from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operation

CUMULATIVE = frozenset({"cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"})
OPERATIONS = CUMULATIVE | {"take"}


class FlattenedWithoutAxis(Rule):
    """`cumsum` or `take` without an axis on an array of several axes

    ## What it does
    Finds `cumsum`, `cumprod`, `cummax`, `cummin`, `logcumsumexp` and `take` without `axis` on an array of two or
    more axes.

    ## PyTorch and MLX
    PyTorch demands a dimension for running sums, and rows of a table are read with `index_select` or `table[ids]`.
    MLX flattens: `cumsum` runs over all entries, and `mx.take(table, ids)` reads single numbers out of the flat
    table.

    ## Example
    ```python
    import mlx.core as mx

    total = mx.cumsum(mx.ones((2, 3)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    total = mx.cumsum(mx.ones((2, 3)), axis=-1)
    ```

    ## References
    - [mlx.core.cumsum](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.cumsum.html)
    """

    code = "MLX471"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{name}` without `axis` works on the flattened array, and `{array}` has {rank} axes"
    calls = OPERATIONS

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, OPERATIONS)
        axis = 1 if found is not None and found.name == "take" else 0
        if found is None or found.starred or found.argument(axis, "axis", "dim") is not None:  # PyTorch's name
            return
        index = found.argument(0, "indices") if found.name == "take" else None
        array = (
            None if isinstance(index, cst.BinaryOperation) else context.array(found.subject)
        )  # flat places, computed
        if array is not None and array.rank is not None and array.rank > 1:
            context.report(
                self, node, because=[found.subject], confidence=LIKELY if found.name == "take" else 2, name=found.name,
                array=context.brief(found.subject), rank=array.rank, repro={"name": found.name},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "cumsum") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1.0, 2.0], [3.0, 4.0]])
        if name == "take":
            index = mx.array([1])
            return Evidence(differs(mx.take(x, index), [[3.0, 4.0]]), agrees(mx.take(x, index, axis=0), [[3.0, 4.0]]))
        function = getattr(mx, name)
        return Evidence(differs(function(x).shape, (2, 2)), agrees(function(x, axis=-1).shape, (2, 2)))
