from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
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

from ._losses import loss_name, produced_by


class KlDivTargetProbabilities(Rule):
    """`kl_div_loss` is given target probabilities instead of log-probabilities

    ## What it does
    Finds `nn.losses.kl_div_loss` whose inputs or targets are the result of a softmax.

    ## PyTorch and MLX
    `F.kl_div(input, target)` takes log-probabilities first and probabilities second, unless `log_target=True`. MLX's
    `kl_div_loss` takes log-probabilities for both. With probabilities it gives another number and never raises.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    student, teacher = mx.array([[0.1, 0.9]]), mx.array([[0.4, 0.6]])
    loss = nn.losses.kl_div_loss(nn.log_softmax(student, axis=-1), mx.softmax(teacher, axis=-1))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    student, teacher = mx.array([[0.1, 0.9]]), mx.array([[0.4, 0.6]])
    loss = nn.losses.kl_div_loss(nn.log_softmax(student, axis=-1), nn.log_softmax(teacher, axis=-1))
    ```

    ## Fix safety
    The logarithm is taken. It is unsafe: `nn.log_softmax` in the place of `mx.softmax` keeps small probabilities exact.

    ## References
    - [kl_div_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.kl_div_loss.html)
    """

    code = "MLX323"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"kl_div_loss"})
    message = (
        "`{argument}` holds probabilities: `nn.losses.kl_div_loss` takes log-probabilities for inputs and targets alike"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "kl_div_loss") is None:
            return
        for index, name in enumerate(("inputs", "targets")):
            given = context.argument(node, index, name)
            if given is not None and produced_by(context.value(given), "softmax", "Softmax", "sigmoid"):
                mx = context.alias("mlx.core")
                text = f"{mx}.log({context.text(given)})"
                fix = NodeFix("Take the logarithm", [Replace(given, text)], Applicability.UNSAFE) if mx else None
                context.report(self, node, because=[given], argument=context.brief(given), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        p, q = mx.array([[0.2, 0.8]]), mx.array([[0.5, 0.5]])
        expected = (q * (mx.log(q) - mx.log(p))).sum(axis=-1)
        loss = nn.losses.kl_div_loss
        return Evidence(differs(loss(mx.log(p), q), expected), agrees(loss(mx.log(p), mx.log(q)), expected))
