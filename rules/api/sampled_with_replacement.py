from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, shown

CATEGORICAL = "mlx.core.random.categorical"


class SampledWithReplacement(Rule):
    """Several samples of one distribution, drawn with replacement

    ## What it does
    Finds `mx.random.categorical(logits, num_samples=k)` with `k` other than 1, in files that speak of `multinomial`.

    ## PyTorch and MLX
    `torch.multinomial(p, k)` draws without replacement unless told otherwise: `k` different indices. MLX always draws
    with replacement, and the same index may come twice. The largest of the logits plus Gumbel noise are a draw
    without.

    ## Example
    ```python
    import mlx.core as mx

    logits = mx.zeros((10,))
    chosen = mx.random.categorical(logits, num_samples=4)  # torch.multinomial(logits.exp(), 4)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    logits = mx.zeros((10,))
    chosen = mx.argsort(-(logits + mx.random.gumbel(logits.shape)))[:4]
    ```

    ## References
    - [categorical](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.random.categorical.html)
    """

    code = "MLX441"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "the {count} samples are drawn with replacement, and `torch.multinomial` draws without"
    calls = frozenset({"categorical"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != CATEGORICAL or "multinomial" not in context.module.text:
            return
        count = context.argument(node, None, "num_samples")
        number = None if count is None else constant(context.value(count), int)
        if count is None or number == 1:
            return
        context.report(self, node, count=number if number is not None else context.brief(count))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        logits = mx.zeros((4,))
        draws = [sorted(mx.random.categorical(logits, num_samples=4).tolist()) for _ in range(8)]
        others = [sorted(mx.argsort(-(logits + mx.random.gumbel((4,)))).tolist()) for _ in range(8)]
        repeated = [draw for draw in draws if draw != [0, 1, 2, 3]]
        hazard = shown(bool(repeated), f"drawn from 4: {repeated[:1]}")
        return Evidence(hazard, agrees(mx.array(others), mx.array([[0, 1, 2, 3]] * 8)))
