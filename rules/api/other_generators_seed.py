from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Name
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    shown,
)

SEEDS = {
    "numpy.random.seed": "numpy.random.",
    "random.seed": "random.",
    "torch.manual_seed": "torch.rand",
    "torch.random.manual_seed": "torch.rand",
}


class OtherGeneratorsSeed(Rule):
    """Seeding another library's generator

    ## What it does
    Finds `torch.manual_seed`, `np.random.seed` and `random.seed` in a file that draws from `mx.random` and never
    seeds it.

    ## PyTorch and MLX
    Each library has a generator of its own. MLX's starts from the time; only `mx.random.seed` or an explicit key
    makes its draws, and the initial weights of layers, repeatable.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    np.random.seed(0)
    weights = mx.random.normal((4, 4))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.random.seed(0)
    weights = mx.random.normal((4, 4))
    ```

    ## Fix safety
    MLX is seeded too, or instead where nothing else draws from that generator. It is unsafe: the numbers change.

    ## References
    - [mlx.core.random.seed](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.seed.html)
    """

    code = "MLX460"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{call}` does not seed MLX, whose random numbers this file draws"
    calls = frozenset({"seed", "manual_seed"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in SEEDS:
            return
        called = {value.name for value in context.module.calls.values() if isinstance(value, Name)}
        if "mlx.core.random.seed" in called or not any(c.startswith("mlx.core.random.") for c in called):
            return
        draws_itself = any(c.startswith(SEEDS[callee]) and c != callee for c in called)
        severity = Severity.INFO if draws_itself else Severity.WARNING
        if not _keyed(context):
            context.report(
                self, node, severity=severity, confidence=Confidence.LIKELY, call=context.brief(node),
                fix=_fix(node, draws_itself, context),
            )  # fmt: skip

    @staticmethod
    def repro(seed: int = 0) -> Evidence:
        import random

        import mlx.core as mx

        def draw(seeded: bool) -> list[float]:
            random.seed(seed)
            if seeded:
                mx.random.seed(seed)
            return list(mx.random.normal((4,)).tolist())

        return Evidence(
            shown(draw(False) != draw(False), "the same seed of Python's generator, other numbers of MLX's"),
            shown(draw(True) == draw(True), "the same numbers after mx.random.seed"),
        )


def _keyed(context: Context) -> bool:
    """Whether every draw is given its key."""
    draws = [
        call
        for call, value in context.module.calls.items()
        if isinstance(value, Name) and value.name.startswith("mlx.core.random.")
    ]
    plain = [c for c in draws if (context.callee(c) or "") not in ("mlx.core.random.key", "mlx.core.random.split")]
    return all(context.argument(call, None, "key") is not None for call in plain)


def _fix(node: cst.Call, draws_itself: bool, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or len(node.args) != 1 or node.args[0].star or not context.is_dropped(node):
        return None
    text = f"{mx}.random.seed({context.text(node.args[0].value)})"
    edit: NodeEdit = InsertStatement(node, text) if draws_itself else Replace(node, text)
    return NodeFix("Seed MLX", [edit], Applicability.UNSAFE)
