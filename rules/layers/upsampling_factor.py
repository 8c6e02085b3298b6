from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Sequence, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown

_SIZE_NAME = re.compile(r"(?:^|_)(?:size|shape|hw|resolution)$")
_LEAST_SIZE = 8


class UpsamplingFactor(Rule):
    """`nn.Upsample` is given a size, or a factor that samples other places than PyTorch

    ## What it does
    Finds `nn.Upsample` with a tuple of sizes, or a name that says it is one, as its first argument, and with a factor
    above 1 that is no whole number.

    ## PyTorch and MLX
    PyTorch's first argument is `size`, MLX's is `scale_factor`: `nn.Upsample((16, 16))` enlarges sixteen times. With
    fractional factors, such as 1.5, the two libraries round places differently.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    up = nn.Upsample((16, 16))
    y = up(mx.zeros((1, 8, 8, 3)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    up = nn.Upsample(scale_factor=2)
    y = up(mx.zeros((1, 8, 8, 3)))
    ```

    ## References
    - [Upsample](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Upsample.html)
    """

    code = "MLX367"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"Upsample"})
    message = "`{factor}` {problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.nn.Upsample":
            return
        given = context.argument(node, 0, "scale_factor")
        if given is None:
            return
        problem = _problem(given, context)
        if problem is not None:
            context.report(self, node, confidence=LIKELY, factor=context.brief(given), problem=problem)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.arange(2.0).reshape(1, 2, 1)
        enlarged = nn.Upsample((4,))(x).shape
        remedy = shown(nn.Upsample(2.0)(x).shape[1] == 4, "a factor of 2 gives 4 steps")
        return Evidence(differs(enlarged[1], 4, what="steps"), remedy)


def _problem(given: cst.BaseExpression, context: Context) -> str | None:
    value = context.value(given)
    items = value.items if isinstance(value, Sequence) else (value,)
    numbers = [constant(item, (int, float)) for item in items or ()]
    if isinstance(value, Sequence) and numbers and all(isinstance(n, int) and n >= _LEAST_SIZE for n in numbers):
        return "looks like a size: the first argument is the factor to enlarge by"
    name = given.attr.value if isinstance(given, cst.Attribute) else given.value if isinstance(given, cst.Name) else ""
    if _SIZE_NAME.search(name) or _is_part_of_shape(given):
        return "is a size by its name: the first argument is the factor to enlarge by"
    if any(isinstance(n, float) and n > 1 and n != int(n) for n in numbers):
        return "is no whole number: other places are sampled than in PyTorch"
    return None


def _is_part_of_shape(node: cst.BaseExpression) -> bool:
    """``skip.shape[1:3]``."""
    return (
        isinstance(node, cst.Subscript)
        and isinstance(node.value, cst.Attribute)
        and node.value.attr.value == "shape"
        and isinstance(node.slice[0].slice, cst.Slice)
    )
