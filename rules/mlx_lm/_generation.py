"""The functions of MLX-LM that generate text, and what they are given."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import BATCH, RESPONSE, TOKENIZER
from mlxlint.model.values import Const, Either, Instance, Scalar, Value, members

GENERATE, STREAM, BATCHED = "mlx_lm.generate", "mlx_lm.stream_generate", "mlx_lm.batch_generate"
STEP, SPECULATIVE = "mlx_lm.generate.generate_step", "mlx_lm.generate.speculative_generate_step"
FROM_TEXT = frozenset({GENERATE, STREAM})
FROM_IDS = frozenset({STEP, SPECULATIVE})
EVERY = FROM_TEXT | FROM_IDS | {BATCHED}
NAMES = frozenset(name.rpartition(".")[2] for name in EVERY)  # what is called, for `calls`


def prompt_of(call: cst.Call, callee: str, context: Context) -> cst.BaseExpression | None:
    """The expression given as the prompt, or as the prompts."""
    if callee in FROM_IDS:
        return context.argument(call, 0, "prompt")
    return context.argument(call, 2, "prompts" if callee == BATCHED else "prompt")


def instances(value: Value, kind: str) -> bool:
    """Whether every alternative of a value is an object of one class."""
    return all(isinstance(member, Instance) and member.type == kind for member in members(value))


def is_tokenizer(value: Value) -> bool:
    return instances(value, TOKENIZER)


def is_response(value: Value) -> bool:
    return instances(value, RESPONSE)


def is_batch(value: Value) -> bool:
    return instances(value, BATCH)


def is_integer(value: Value) -> bool:
    """Whether a value is surely an ``int``."""
    if isinstance(value, Either):
        return all(map(is_integer, value.members))
    if isinstance(value, Const):
        return isinstance(value.value, int) and not isinstance(value.value, bool)
    return isinstance(value, Scalar) and value.type == "int"
