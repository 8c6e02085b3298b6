from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ._losses import is_one_hot, loss_name, produced_by

_SEVERAL = re.compile(r"multi_?hot|multi_?label", re.IGNORECASE)
_WEIGHTS = re.compile(r"mask|weight|valid", re.IGNORECASE)


class UnnormalisedTargets(Rule):
    """Targets whose rows do not sum to 1, or hold zeros, are given to a loss that takes distributions

    ## What it does
    Finds `nn.losses.cross_entropy` with one-hot rows that are multiplied by a mask or by weights, and with targets of
    several labels by their name; and `nn.losses.kl_div_loss` with the logarithm of one-hot rows.

    ## PyTorch and MLX
    For target rows `t`, PyTorch computes `-(t * log_softmax(x)).sum()`. MLX computes `logsumexp(x) - (t * x).sum()`,
    which is the same for rows that sum to 1 alone: a row masked to zeros counts `logsumexp(x)`, and not 0. Mask the
    loss instead. `kl_div_loss` takes `0 * log 0` for NaN, which PyTorch takes for 0.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, labels, mask = mx.zeros((2, 3)), mx.array([0, 2]), mx.array([1.0, 0.0])
    rows = mx.eye(3)[labels] * mask[:, None]
    loss = nn.losses.cross_entropy(logits, rows, reduction="mean")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    logits, labels, mask = mx.zeros((2, 3)), mx.array([0, 2]), mx.array([1.0, 0.0])
    loss = (nn.losses.cross_entropy(logits, labels) * mask).mean()
    ```

    ## References
    - [cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html)
    - [kl_div_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.kl_div_loss.html)
    """

    code = "MLX391"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"cross_entropy", "kl_div_loss"})
    message = "`{targets}` {problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = loss_name(node, context, "cross_entropy", "kl_div_loss")
        targets = None if name is None else context.argument(node, 1, "targets")
        if targets is None:
            return
        if name == "cross_entropy" and _sums_differ(targets, context):
            problem = "has rows that do not sum to 1, for which the loss differs from PyTorch's"
        elif name == "kl_div_loss" and _is_log_of_zeros(targets, context):
            problem = "is minus infinity where the target is 0, and the loss is NaN there"
        else:
            return
        context.report(
            self, targets, confidence=LIKELY, targets=context.brief(targets), problem=problem, repro={"loss": name}
        )

    @staticmethod
    def repro(loss: str = "cross_entropy") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = nn.log_softmax(mx.array([[0.0, 1.0, 2.0]]))
        if loss == "kl_div_loss":
            rows = mx.array([[0.0, 0.0, 1.0]])
            by_hand = (rows * (mx.log(mx.maximum(rows, 1e-38)) - x)).sum(axis=-1)
            return Evidence(differs(nn.losses.kl_div_loss(x, mx.log(rows)), by_hand), agrees(by_hand, -x[:, 2]))
        masked = mx.zeros((1, 3))
        by_hand = -(masked * x).sum(axis=-1)
        return Evidence(differs(nn.losses.cross_entropy(x + 1, masked), by_hand), agrees(by_hand, [0.0]))


def _sums_differ(targets: cst.BaseExpression, context: Context) -> bool:
    """Whether rows are one-hot and masked, or named for having several ones."""
    name = tree.dotted(targets)
    if name is not None and _SEVERAL.search(name.rpartition(".")[2]):
        return True
    array = context.array(targets)
    product = array.node if array is not None and array.op == "operator.*" else None
    if not isinstance(product, cst.BinaryOperation):
        return False
    sides = ((product.left, product.right), (product.right, product.left))
    return any(is_one_hot(rows, context) and _is_of_rows(other, context) for rows, other in sides)


def _is_of_rows(factor: cst.BaseExpression, context: Context) -> bool:
    """Whether a factor is a mask or weights of the rows, and not a number."""
    array = as_array(context.value(factor))
    return (array is not None and array.rank != 0) or any(
        isinstance(part, cst.Name) and _WEIGHTS.search(part.value) for part in tree.walk(factor)
    )


def _is_log_of_zeros(targets: cst.BaseExpression, context: Context) -> bool:
    array = context.array(targets)
    logarithm = array.node if array is not None and produced_by(array, "log") else None
    if not isinstance(logarithm, cst.Call):
        return False
    method = isinstance(logarithm.func, cst.Attribute) and context.array(logarithm.func.value) is not None
    given = logarithm.func.value if method else logarithm.args[0].value if logarithm.args else None  # type: ignore[attr-defined]
    return given is not None and is_one_hot(given, context)
