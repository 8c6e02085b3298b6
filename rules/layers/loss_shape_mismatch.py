from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Shape
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, raises, shown

from ._losses import loss_name

_CHECKED = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy", "gaussian_nll_loss"})
_UNCHECKED = frozenset({"huber_loss", "hinge_loss", "log_cosh_loss", "kl_div_loss"})
_EXTRA = {"binary_cross_entropy": (2, "weights"), "gaussian_nll_loss": (2, "vars")}


class LossShapeMismatch(Rule):
    """Predictions and targets of a loss have different shapes

    ## What it does
    Finds losses of predictions and targets whose shapes are known and differ, such as (N, 1) and (N,), and weights and
    variances that have not the loss's shape.

    ## PyTorch and MLX
    PyTorch broadcasts, with a warning where the sizes differ. `mse_loss`, `l1_loss`, `smooth_l1_loss`,
    `binary_cross_entropy` and `gaussian_nll_loss` of MLX raise. `huber_loss`, `hinge_loss`, `log_cosh_loss` and
    `kl_div_loss` broadcast without a word: (N, 1) against (N,) compares each prediction with each target.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    predictions = nn.Linear(3, 1)(mx.zeros((4, 3)))
    loss = nn.losses.huber_loss(predictions, mx.ones((4,)), reduction="mean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    predictions = nn.Linear(3, 1)(mx.zeros((4, 3))).squeeze(-1)
    loss = nn.losses.huber_loss(predictions, mx.ones((4,)), reduction="mean")
    ```

    ## References
    - [huber_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.huber_loss.html)
    - [mse_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.mse_loss.html)
    """

    code = "MLX373"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = _CHECKED | _UNCHECKED
    message = "`{one}` has shape {shape} and `{other}` {expected}: `{loss}` {effect}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = loss_name(node, context, *self.calls)
        if name is None:
            return
        predictions = context.argument(node, 0, "predictions", "inputs")
        targets = context.argument(node, 1, "targets")
        extra = context.argument(node, *_EXTRA[name]) if name in _EXTRA else None
        for one, other in ((predictions, targets), (extra, predictions)):
            a, b = context.array(one), context.array(other)
            if one is None or other is None or a is None or b is None or not _differ(a.shape, b.shape):
                continue
            effect = "raises" if name in _CHECKED else "broadcasts them against each other"
            context.report(
                self, node, because=[one, other], one=context.brief(one), shape=_shown(a.shape), loss=name,
                other=context.brief(other), expected=_shown(b.shape), effect=effect,
                repro={"loss": name if name in _UNCHECKED - {"kl_div_loss"} else "mse_loss"},
            )  # fmt: skip
            return

    @staticmethod
    def repro(loss: str = "huber_loss") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        function = getattr(nn.losses, loss)
        predictions, targets = mx.ones((4, 1)), mx.ones((4,))
        failed = raises(lambda: function(predictions, targets, reduction="none"), ValueError)
        hazard = failed
        if not failed.holds:
            hazard = differs(function(predictions, targets, reduction="none").size, 4, what="losses")
        fitting = function(predictions.squeeze(-1), targets, reduction="none")
        return Evidence(hazard, shown(fitting.shape == (4,), f"shapes alike: {fitting.shape}"))


def _differ(a: Shape | None, b: Shape | None) -> bool:
    """Whether two shapes surely differ: in rank, or in a size that is a known number in both."""
    if a is None or b is None or not a or not b:
        return False
    if len(a) != len(b):
        return True
    return any(isinstance(x, int) and isinstance(y, int) and x != y for x, y in zip(a, b))


def _shown(shape: Shape | None) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in shape or ())
    return f"({sizes},)" if shape is not None and len(shape) == 1 else f"({sizes})"
