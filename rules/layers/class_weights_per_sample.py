from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, LIKELY
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._losses import index_of, loss_name

_CLASS_WEIGHTS = re.compile(r"class_?w|cls_?w|weights?_per_class|class_?balance", re.IGNORECASE)


class ClassWeightsPerSample(Rule):
    """Class weights are passed to `cross_entropy`, which takes one weight per sample

    ## What it does
    Finds `nn.losses.cross_entropy(…, weights=w)` where `w` is one row of weights for targets of more axes, or is called
    `class_weights` and not indexed with the targets.

    ## PyTorch and MLX
    PyTorch's `weight` holds one weight per class. MLX's `weights` holds one per target, and must have the shape of the
    loss: otherwise it raises, or, where batch and classes happen to be equally many, weighs the wrong samples.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    class_weights = mx.array([1.0, 5.0, 2.0])
    logits, targets = mx.zeros((4, 3)), mx.array([0, 2, 1, 1])
    loss = nn.losses.cross_entropy(logits, targets, weights=class_weights, reduction="sum")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    class_weights = mx.array([1.0, 5.0, 2.0])
    logits, targets = mx.zeros((4, 3)), mx.array([0, 2, 1, 1])
    weights = class_weights[targets]
    loss = nn.losses.cross_entropy(logits, targets, weights=weights, reduction="sum") / weights.sum()
    ```

    ## Fix safety
    The fix indexes the weights with the targets. It is unsafe: PyTorch's mean also divides by the sum of the weights.

    ## References
    - [cross_entropy](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.cross_entropy.html)
    """

    code = "MLX325"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"cross_entropy"})
    message = "`weights` holds one weight per target, and `{weights}` one per class: index it with the targets"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if loss_name(node, context, "cross_entropy") is None:
            return
        given, targets = context.argument(node, 2, "weights"), context.argument(node, 1, "targets")
        if given is None or targets is None or not isinstance(given, (cst.Name, cst.Attribute)):
            return
        weights, labels = context.array(given), context.array(targets)
        if index_of(weights) is not None or (weights is not None and weights.rank not in (None, 1)):
            return
        known = weights is not None and labels is not None and weights.rank == 1 and labels.rank not in (None, 1)
        sized = weights is not None and labels is not None and _differ(weights.shape, labels.shape)
        if known or sized or _CLASS_WEIGHTS.search(context.text(given)):
            fix = None
            if isinstance(targets, cst.Name):
                fix = NodeFix(
                    "Index with the targets",
                    [Replace(given, f"{context.text(given)}[{targets.value}]")],
                    Applicability.UNSAFE,
                )
            surety = CERTAIN if known or sized else LIKELY
            context.report(self, node, confidence=surety, fix=fix, weights=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        weights, logits, targets = mx.array([1.0, 5.0, 2.0]), mx.zeros((4, 3)), mx.array([0, 2, 1, 1])
        loss = nn.losses.cross_entropy
        value = loss(logits, targets, weights=weights[targets])
        return Evidence(
            raises(lambda: loss(logits, targets, weights=weights), ValueError),
            shown(value.shape == (4,), "indexed: runs"),
        )


def _differ(a: object, b: object) -> bool:
    """Whether two shapes of one axis have different known sizes."""
    if not (isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) == 1):
        return False
    return isinstance(a[0], int) and isinstance(b[0], int) and a[0] != b[0]
