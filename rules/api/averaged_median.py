from __future__ import annotations

import libcst as cst
from mlxlint.rules._operations import operation
from mlxlint.rules._shared import default_severity

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

MEDIAN = frozenset({"median"})


class AveragedMedian(Rule):
    """Median of an even number of values

    ## What it does
    Finds `median` of an array whose length is not known to be odd. It is a warning in a file that speaks of PyTorch
    and information elsewhere.

    ## PyTorch and MLX
    `torch.median` returns the lower of the two values in the middle, `mx.median` their mean, as NumPy does.

    ## Example
    ```python
    import mlx.core as mx

    middle = mx.median(mx.array([1.0, 2.0, 4.0, 8.0]))  # torch.median gives 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    lengths = mx.sort(mx.array([1.0, 2.0, 4.0, 8.0]))
    middle = lengths[(lengths.size - 1) // 2]
    ```

    ## References
    - [mlx.core.median](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.median.html)
    """

    code = "MLX454"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`mx.median` averages the two values in the middle, `torch.median` takes the lower one"
    calls = MEDIAN

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, MEDIAN)
        array = None if found is None else context.array(found.subject)
        if found is None or array is None:
            return
        size = array.shape[0] if array.shape is not None and len(array.shape) == 1 else None
        if not (isinstance(size, int) and size % 2):
            severity = default_severity(context)
            context.report(self, node, because=[found.subject], severity=severity, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([8.0, 1.0, 4.0, 2.0])
        return Evidence(differs(mx.median(x), 2.0), agrees(mx.sort(x)[(x.size - 1) // 2], 2.0))
