from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
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
)
from mlxlint.rules._operations import Operation, is_repeatable, operand, operation

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

    ## Fix safety
    The fix takes the lower of the two values in the middle of the sorted array. It is unsafe: the mean of the two
    may be what is meant. There is none along an axis other than the last, and where a call would be made twice.

    ## References
    - [mlx.core.median](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.median.html)
    """

    code = "MLX454"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`mx.median` averages the two values in the middle, `torch.median` takes the lower one"
    calls = MEDIAN

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, MEDIAN)
        array = None if found is None else context.array(found.subject)
        if found is None or array is None:
            return
        size = array.shape[0] if array.shape is not None and len(array.shape) == 1 else None
        if not (isinstance(size, int) and size % 2):
            context.report_default(
                self, node, because=[found.subject], confidence=Confidence.LIKELY,
                fix=_lower(node, found, array.rank, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([8.0, 1.0, 4.0, 2.0])
        return Evidence(differs(mx.median(x), 2.0), agrees(mx.sort(x)[(x.size - 1) // 2], 2.0))


def _lower(node: cst.Call, found: Operation, rank: int | None, context: Context) -> NodeFix | None:
    """Take the lower of the values in the middle."""
    core, axis = context.importing("mlx.core", "mx"), found.argument(0, "axis")
    if core is None or found.starred or found.argument(1, "keepdims") is not None or not is_repeatable(found.subject):
        return None
    (mx, imports), x = core, operand(found.subject, context)
    if axis is None:
        ordered = f"{mx}.sort({x})" if rank == 1 else f"{mx}.sort({x}, axis=None)"
        text = f"{ordered}[({x}.size - 1) // 2]"
    elif constant(context.value(axis), int) == -1:
        text = f"{mx}.sort({x}, axis=-1)[..., ({x}.shape[-1] - 1) // 2]"
    else:
        return None
    return NodeFix("Take the lower of the two", [*imports, Replace(node, text)], Applicability.UNSAFE)
