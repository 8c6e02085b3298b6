from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import operation

OUTER = frozenset({"outer"})


class FlattenedOuter(Rule):
    """`mx.outer` of arrays with several axes

    ## What it does
    Finds `mx.outer(a, b)` where one of the arrays is known to have more than one axis.

    ## PyTorch and MLX
    `torch.outer` takes vectors and raises for anything else. `mx.outer` flattens both arrays first, so that a batch of
    vectors gives one large matrix over all of them.

    ## Example
    ```python
    import mlx.core as mx

    positions, frequencies = mx.ones((2, 8)), mx.ones((4,))
    angles = mx.outer(positions, frequencies)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    positions, frequencies = mx.ones((2, 8)), mx.ones((4,))
    angles = positions[..., None] * frequencies
    ```

    ## References
    - [mlx.core.outer](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.outer.html)
    """

    code = "MLX428"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{array}` has {rank} axes, and `mx.outer` flattens it: the result is one matrix"
    calls = OUTER

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, OUTER)
        other = None if found is None or found.starred else found.argument(0, "b")
        if found is None or other is None:
            return
        for side in (found.subject, other):
            array = context.array(side)
            if array is not None and array.rank is not None and array.rank > 1 and not _is_flat(array.shape or ()):
                context.report(self, node, because=[side], array=context.brief(side), rank=array.rank)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        a, b = mx.ones((2, 2)), mx.ones((3,))
        hazard = differs(mx.outer(a, b).ndim, 3, what="axes in MLX")
        return Evidence(hazard, agrees((a[..., None] * b).ndim, 3))


def _is_flat(shape: tuple[object, ...]) -> bool:
    """Whether all axes but one have size 1: flattening changes nothing that is not meant."""
    return sum(size != 1 for size in shape) <= 1
