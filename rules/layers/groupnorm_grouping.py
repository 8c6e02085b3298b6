from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, shown

from .._shared import with_keyword
from ._layouts import number


class GroupnormGrouping(Rule):
    """`nn.GroupNorm` without `pytorch_compatible=True` groups the channels differently

    ## What it does
    Finds `nn.GroupNorm(groups, dims)` without `pytorch_compatible=True`, unless there is one group, or a group per
    channel. It is a warning where the file shows that PyTorch's behaviour is meant, and a note elsewhere.

    ## PyTorch and MLX
    PyTorch's groups are runs of neighbouring channels. MLX's default puts every `groups`-th channel into one group,
    which is faster, and just as good for a model trained from scratch, but gives other numbers with weights from
    PyTorch.

    ## Example
    ```python
    # Port of the PyTorch decoder.
    import mlx.nn as nn

    norm = nn.GroupNorm(8, 32)
    ```

    ## Use instead
    ```python
    # Port of the PyTorch decoder.
    import mlx.nn as nn

    norm = nn.GroupNorm(8, 32, pytorch_compatible=True)
    ```

    ## Fix safety
    The fix adds `pytorch_compatible=True`. It changes the numbers, and is unsafe.

    ## References
    - [GroupNorm](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.GroupNorm.html)
    """

    code = "MLX343"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"GroupNorm"})
    message = "`nn.GroupNorm` groups channels otherwise than PyTorch without `pytorch_compatible=True`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.nn.GroupNorm" or context.arguments(node).starred or not node.args:
            return
        stated = context.argument(node, 4, "pytorch_compatible")
        groups = context.value(context.argument(node, 0, "num_groups"))
        dims = context.value(context.argument(node, 1, "dims"))
        if number(groups) == 1 or (isinstance(groups, Const) and groups.key() == dims.key()) or _same(node, context):
            return
        if stated is None:
            fix = NodeFix(
                "Add `pytorch_compatible=True`",
                [with_keyword(node, "pytorch_compatible=True", context)],
                Applicability.UNSAFE,
            )
            context.report_default(self, node, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([[[1.0, 1.0, 9.0, 9.0], [2.0, 2.0, 3.0, 3.0]]])
        plain = nn.GroupNorm(2, 4, affine=False)(x)
        compatible = nn.GroupNorm(2, 4, affine=False, pytorch_compatible=True)(x)
        first = x[..., :2]
        expected = (first - first.mean()) / mx.sqrt(first.var() + 1e-5)
        return Evidence(
            shown(
                not mx.allclose(plain[..., :2], expected, atol=1e-3).item(), "the first two channels are not one group"
            ),
            shown(
                bool(mx.allclose(compatible[..., :2], expected, atol=1e-3).item()), "pytorch_compatible=True: they are"
            ),
        )


def _same(node: cst.Call, context: Context) -> bool:
    """Whether groups and channels are written alike: a group per channel."""
    groups, dims = context.argument(node, 0, "num_groups"), context.argument(node, 1, "dims")
    return groups is not None and dims is not None and context.text(groups) == context.text(dims)
