from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs


class PaddedUnique(Rule):
    """The result of `mx.unique` is taken for the distinct values alone

    ## What it does
    Finds `mx.unique(x, size)` without `return_counts`, whose length or elements are used, or whose `size` is the
    array's own.

    ## PyTorch and MLX
    `torch.unique` returns as many values as there are. `mx.unique` returns `size` of them, the smallest first: where
    there are fewer, the first is repeated, and where there are more, the rest is cut off.

    ## Example
    ```python
    import mlx.core as mx

    labels = mx.array([3, 1, 1])
    classes = mx.unique(labels, labels.size)
    count = classes.shape[0]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    labels = mx.array([3, 1, 1])
    padded, counts = mx.unique(labels, labels.size, return_counts=True)
    count = (counts > 0).sum().item()
    classes = padded[:count]
    ```

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX486"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{call}` is filled up with its first value: ask for `return_counts` to know what is padding"
    calls = frozenset({"unique"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.unique" or context.arguments(node).starred or len(node.args) < 2:
            return
        arguments = context.arguments(node)
        if "return_counts" in arguments.keywords or "fill_value" in arguments.keywords:
            return
        size = context.argument(node, 1, "size")
        if size is None or not (_is_whole(size) or _is_counted(node, context)):
            return
        context.report(self, node, confidence=Confidence.LIKELY, call=context.brief(node))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        labels = mx.array([3, 1, 1])
        padded, counts = mx.unique(labels, 3, return_counts=True)
        return Evidence(differs(mx.unique(labels, 3), [1, 3]), agrees(padded[: (counts > 0).sum().item()], [1, 3]))


def _is_whole(size: cst.BaseExpression) -> bool:
    """Whether a size is that of an array: ``x.size``, ``len(x)``, ``x.shape[0]``."""
    if isinstance(size, cst.Call):
        return dotted(size.func) == "len"
    node = size.value if isinstance(size, cst.Subscript) else size
    return isinstance(node, cst.Attribute) and node.attr.value in ("size", "shape")


def _is_counted(call: cst.Call, context: Context) -> bool:
    """Whether the length of the result is asked for at once."""
    parent = context.parent(call)
    if isinstance(parent, cst.Attribute):
        return parent.attr.value in ("shape", "size")
    above = context.parent(parent) if isinstance(parent, cst.Arg) else parent
    return (isinstance(above, cst.Call) and dotted(above.func) == "len") or isinstance(above, (cst.For, cst.CompFor))
