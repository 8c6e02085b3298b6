from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Evidence, Kind, Rule, Severity, Skipped, agrees, differs

from ._losses import reduction
from ._older import OLDER

_BATCH_MEAN = re.compile(r"batch[ _-]?mean", re.IGNORECASE)


@dataclass(frozen=True)
class Formula:
    """What a function of MLX's computes, and PyTorch's of that name does not."""

    mlx: str
    torch: str
    applies: Callable[[cst.Call, Context], bool]
    is_often_meant: bool = False  # a note in ports too


def _has_mean(call: cst.Call, context: Context) -> bool:
    return reduction(call, context) == "mean" and _BATCH_MEAN.search(context.module.text) is None


def _speaks_of_embedding(call: cst.Call, context: Context) -> bool:
    """Support vector machines have the same loss as in MLX: only PyTorch's own name tells that it was the other."""
    return "hinge_embedding" in context.module.text or "HingeEmbedding" in context.module.text


def _has_no_deviation(call: cst.Call, context: Context) -> bool:
    return context.argument(call, 2, "std") is None


def _counts_positions(call: cst.Call, context: Context) -> bool:
    """With its own frequencies or scale the layer was set up by someone who knows it."""
    return len(call.args) == 1 and context.port is not None


_FORMULAS = {
    "mlx.nn.losses.kl_div_loss": Formula(
        "sums over the classes and averages the rows", "`mean` averages all elements, `batchmean` the rows",
        _has_mean, is_often_meant=True,
    ),
    "mlx.nn.losses.hinge_loss": Formula(
        "is `max(0, 1 - inputs * targets)`",
        "`hinge_embedding_loss` is `x` where the target is 1 and `max(0, margin - x)` where it is -1",
        _speaks_of_embedding,
    ),
    "mlx.nn.init.sparse": Formula(
        "zeroes a fraction of each row and has `std=1.0`", "zeroes a fraction of each column and has `std=0.01`",
        _has_no_deviation,
    ),
    "mlx.nn.SinusoidalPositionalEncoding": Formula(
        "returns sines, then cosines, of frequencies from 1 to 1e-4, times `sqrt(2 / dims)`",
        "usual encoding alternates them, unscaled, with frequencies `10000 ** (-2 * i / dims)`", _counts_positions,
    ),
}  # fmt: skip


class DifferingFormula(Rule):
    """A function or layer computes something else than the one it is taken for

    ## What it does
    Finds `nn.losses.hinge_loss` in files that speak of PyTorch's `hinge_embedding_loss`, `nn.init.sparse` without
    `std`, and, in ports, `nn.SinusoidalPositionalEncoding` with nothing but its size. It is a warning where the file
    shows that PyTorch's behaviour is meant, and a note elsewhere. `nn.losses.kl_div_loss` with `reduction="mean"` is a
    note, in files that speak of no `batchmean`. Where the project is to run on older releases, it also finds what these
    computed otherwise: `nll_loss` with an `axis`, `triplet_loss` with a `p`, `nn.GRU`, decoders that normalise
    afterwards, `clip_grad_norm` in `float16`, and a few more.

    ## PyTorch and MLX
    The names are alike and the formulas are not. `kl_div_loss` averages rows, as PyTorch's `batchmean` does.
    `hinge_loss` is that of support vector machines. `sparse` draws with a standard deviation of 1. The encoding's
    halves are sines and cosines, with frequencies of its own.

    ## Example
    ```python
    # Port of a PyTorch distillation loss.
    import mlx.core as mx
    import mlx.nn as nn

    student, teacher = nn.log_softmax(mx.zeros((2, 4))), nn.log_softmax(mx.ones((2, 4)))
    loss = nn.losses.kl_div_loss(student, teacher, reduction="mean")
    ```

    ## Use instead
    ```python
    # Port of a PyTorch distillation loss, which had reduction="mean".
    import mlx.core as mx
    import mlx.nn as nn

    student, teacher = nn.log_softmax(mx.zeros((2, 4))), nn.log_softmax(mx.ones((2, 4)))
    loss = nn.losses.kl_div_loss(student, teacher, reduction="sum") / student.size
    ```

    ## References
    - [kl_div_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.kl_div_loss.html)
    - [hinge_loss](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary_functions/mlx.nn.losses.hinge_loss.html)
    - [SinusoidalPositionalEncoding](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.SinusoidalPositionalEncoding.html)
    """

    code = "MLX362"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset(name.rpartition(".")[2] for name in (*_FORMULAS, *OLDER))
    message = "`{function}` {mlx}; PyTorch's {torch}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        older = OLDER.get(callee)
        if older is not None and context.target_mlx.reaches(older.until) and older.applies(node, context):
            context.report(
                self, node, template="`{function}` {did}, up to MLX {until}", confidence=CERTAIN,
                severity=Severity.INFO if older.matters_seldom else Severity.WARNING, did=older.did, until=older.until,
                function=callee.removeprefix("mlx."), repro={"function": "older"},
            )  # fmt: skip
            return
        formula = _FORMULAS.get(callee)
        if formula is None or context.arguments(node).starred or not formula.applies(node, context):
            return
        report = partial(context.report, severity=Severity.INFO) if formula.is_often_meant else context.report_default
        report(
            self, node, confidence=CERTAIN, function=callee.removeprefix("mlx."), mlx=formula.mlx, torch=formula.torch,
            repro={"function": callee.rpartition(".")[2]},
        )  # fmt: skip

    @staticmethod
    def repro(
        function: Literal[
            "kl_div_loss", "hinge_loss", "sparse", "SinusoidalPositionalEncoding", "older"
        ] = "kl_div_loss",
    ) -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        if function == "older":
            raise Skipped("seen on releases up to 0.32.2")
        if function == "kl_div_loss":
            p, q = mx.log(mx.array([[0.2, 0.8]])), mx.log(mx.array([[0.5, 0.5]]))
            expected = (mx.exp(q) * (q - p)).mean()
            loss = nn.losses.kl_div_loss
            return Evidence(differs(loss(p, q, reduction="mean"), expected),
                            agrees(loss(p, q, reduction="sum") / p.size, expected))  # fmt: skip
        if function == "hinge_loss":
            x, y = mx.array([0.25, 0.25]), mx.array([1.0, -1.0])
            by_hand = mx.where(y == 1, x, mx.maximum(0, 1 - x))
            return Evidence(differs(nn.losses.hinge_loss(x, y), [0.25, 0.75]), agrees(by_hand, [0.25, 0.75]))
        if function == "sparse":
            w = mx.zeros((200, 200))
            drawn, stated = nn.init.sparse(0.0)(w), nn.init.sparse(0.0, std=0.01)(w)
            return Evidence(differs(mx.std(drawn), 0.01, 0.005), agrees(mx.std(stated), 0.01, 0.005))
        angles = mx.arange(3)[:, None] * mx.power(10000.0, mx.array([0.0, -0.5]))
        expected = mx.stack([mx.sin(angles), mx.cos(angles)], axis=-1).reshape(3, 4)
        return Evidence(
            differs(nn.SinusoidalPositionalEncoding(4)(mx.arange(3)), expected),
            agrees(expected[0], [0.0, 1.0, 0.0, 1.0]),
        )
