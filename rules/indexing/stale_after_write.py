from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules.indexing._copies import copied_from
from mlxlint.rules.indexing._later import bindings_above, read_below, rebound_between, written


class StaleAfterWrite(Rule):
    """A result that would be a view in PyTorch does not follow a later write

    ## What it does
    Finds `y = x.reshape(...)`, `x.T`, `mx.broadcast_to(x, ...)` and the like, followed by a write to `x` and a use of
    `y`.

    ## PyTorch and MLX
    In PyTorch `y` is a view, and shows what is written to `x`. In MLX `y` is an array of its own, with the values
    that `x` had then.

    ## Example
    ```python
    import mlx.core as mx
    import torch

    x = mx.zeros((3,))
    rows = mx.broadcast_to(x, (2, 3))
    x[0] = 1
    print(rows)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((3,))
    x[0] = 1
    rows = mx.broadcast_to(x, (2, 3))
    print(rows)
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX114"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{derived}` keeps the values that `{source}` had before this write; in PyTorch it is a view"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        if isinstance(node.targets[0].target, cst.Subscript):
            self._check(node, context)

    def _check(self, node: cst.Assign | cst.AugAssign, context: Context) -> None:
        target = written(node)
        name = None if target is None else dotted(target)
        if target is None or name is None or context.array(target) is None:
            return
        for binding in bindings_above(node, context):
            derived = binding.targets[0].target
            if isinstance(binding.value, cst.Subscript) or not isinstance(derived, cst.Name):
                continue
            source = copied_from(binding.value, context)
            if source is None or dotted(source) != name or derived.value == name:
                continue
            if not rebound_between(binding, node, name, context) and read_below(node, derived.value, context):
                context.report_default(
                    self, node, because=[(f"`{context.brief(binding)}` is a copy", binding)],
                    confidence=Confidence.LIKELY, derived=derived.value,
                    source=name,
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.zeros((2,))
        before = mx.broadcast_to(x, (2, 2))
        x[0] = 1
        expected = [[1, 0], [1, 0]]
        return Evidence(differs(before, expected), agrees(mx.broadcast_to(x, (2, 2)), expected))
