"""What functions and layers computed otherwise in older releases, as seen by running these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant

Test = Callable[[cst.Call, Context], bool]


@dataclass(frozen=True)
class Older:
    """What was computed otherwise, up to which release. ``matters_seldom``: for a few inputs, or a little."""

    until: str
    did: str
    applies: Test
    matters_seldom: bool = False


def _given(index: int | None, name: str, usual: object) -> Test:
    """Whether an argument is given, and is known to be another value than the usual one."""

    def applies(call: cst.Call, context: Context) -> bool:
        value = context.value(context.argument(call, index, name))
        known = constant(value)
        return known is not None and known != usual

    return applies


def _is_after_norm(index: int) -> Test:
    def applies(call: cst.Call, context: Context) -> bool:
        return constant(context.value(context.argument(call, index, "norm_first")), bool) is False

    return applies


def _in_file_with(*words: str) -> Test:
    def applies(call: cst.Call, context: Context) -> bool:
        return any(word in context.module.text for word in words)

    return applies


def _always(call: cst.Call, context: Context) -> bool:
    return True


_DECODER = "gave the cross attention the result of the self attention alone"
_GROUPED = "drew the weights of groups from a range for all input channels"
OLDER: dict[str, Older] = {
    "mlx.nn.losses.nll_loss": Older("0.31.2", "looked for the classes on the last axis", _given(2, "axis", -1)),
    "mlx.nn.losses.cross_entropy": Older("0.29.0", "looked for the classes on the last axis", _given(3, "axis", -1)),
    "mlx.nn.losses.triplet_loss": Older("0.31.2", "took the square root for every `p`", _given(4, "p", 2)),
    "mlx.nn.GRU": Older("0.31.1", "left `bhn` out of the first step where no state is given", _always),
    "mlx.nn.TransformerDecoderLayer": Older("0.31.1", _DECODER, _is_after_norm(5)),
    "mlx.nn.TransformerDecoder": Older("0.31.1", _DECODER, _is_after_norm(6)),
    "mlx.nn.Transformer": Older("0.31.1", _DECODER, _is_after_norm(9)),
    "mlx.nn.log_softmax": Older("0.32.0", "lost digits where logits are in the thousands", _always, True),
    "mlx.nn.LogSoftmax": Older("0.32.0", "lost digits where logits are in the thousands", _always, True),
    "mlx.nn.Conv1d": Older("0.32.2", _GROUPED, _given(6, "groups", 1), True),
    "mlx.nn.Conv2d": Older("0.32.2", _GROUPED, _given(6, "groups", 1), True),
    "mlx.optimizers.clip_grad_norm": Older(
        "0.32.2", "summed squares in `float16`, which overflow: all gradients are 0 then", _in_file_with("mx.float16")
    ),
    "mlx.optimizers.Adafactor": Older("0.31.2", "raised for weights of convolutions", _in_file_with("nn.Conv")),
    "mlx.optimizers.SGD": Older(
        "0.32.2", "added the decay to the gradients that it was given, in place", _given(2, "weight_decay", 0.0), True
    ),
}
