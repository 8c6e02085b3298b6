"""Checks on a local MLX-LM model: a few tokens each, nothing downloaded."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any
from unittest import mock

from mlxlint.rule import Observation, raises, shown
from mlxlint.verify.mlx_lm_surface import round_trip
from mlxlint.verify.surface import Checks, expected

CHECKS = Checks("mlx-lm")
PROMPT = "hello"


@cache
def loaded(path: str) -> tuple[Any, Any]:
    model, tokenizer = import_module("mlx_lm").load(path)
    return model, tokenizer


def tokens(tokenizer: Any) -> list[int]:
    return list(tokenizer.encode(PROMPT))


@CHECKS.add("`load(lazy=True)` reads weights when they are evaluated")
def model_lazy_load(path: str) -> Observation:
    import mlx.core as mx

    start = mx.get_active_memory()
    model, _ = import_module("mlx_lm").load(path, lazy=True)
    before = mx.get_active_memory() - start
    mx.eval(model.parameters())
    after = mx.get_active_memory() - start
    return shown(before < after / 2, f"{before} bytes after load, {after} after evaluation")


@CHECKS.add("`generate` gives a string, also of one token")
def model_one_step(path: str) -> Observation:
    text = import_module("mlx_lm").generate(*loaded(path), PROMPT, max_tokens=1)
    return shown(isinstance(text, str), f"{type(text).__name__} of {len(text)} characters")


@CHECKS.add("`stream_generate` yields a `GenerationResponse` for each token")
def model_stream_generate(path: str) -> Observation:
    responses = list(import_module("mlx_lm").stream_generate(*loaded(path), PROMPT, max_tokens=3))
    kinds = {type(response).__name__ for response in responses}
    last = responses[-1]
    return shown(
        kinds == {"GenerationResponse"}, f"{len(responses)} x {', '.join(kinds)}, finish reason {last.finish_reason}"
    )


@CHECKS.add("strings, token lists and arrays prompt `generate` alike")
def model_prompt_kinds(path: str) -> Observation:
    import mlx.core as mx

    model, tokenizer = loaded(path)
    ids = tokens(tokenizer)
    texts = [
        import_module("mlx_lm").generate(model, tokenizer, prompt, max_tokens=3)
        for prompt in (PROMPT, ids, mx.array(ids))
    ]
    return shown(len(set(texts)) == 1, f"{len(set(texts))} different texts of 3")


@CHECKS.add("the model's own prompt cache survives saving and loading")
def model_prompt_cache(path: str) -> Observation:
    import mlx.core as mx

    model, tokenizer = loaded(path)
    made = import_module("mlx_lm.models.cache").make_prompt_cache(model)
    mx.eval(model(mx.array([tokens(tokenizer)]), cache=made))
    return round_trip(made)


@CHECKS.add("generation runs on a stream of its own, with `async_eval` and `clear_cache`")
def model_generation_stream(path: str) -> Observation:
    import mlx.core as mx

    model, tokenizer = loaded(path)
    default = mx.default_stream(mx.default_device())
    used = []

    def watched(*arguments: Any, **options: Any) -> Any:
        used.append(mx.default_stream(mx.default_device()))
        return original(model, *arguments, **options)

    original = type(model).__call__
    with (
        mock.patch.object(mx, "async_eval", side_effect=mx.async_eval) as asynchronous,
        mock.patch.object(mx, "clear_cache", side_effect=mx.clear_cache) as clear,
        mock.patch.object(type(model), "__call__", lambda self, *args, **options: watched(*args, **options)),
    ):
        list(import_module("mlx_lm").stream_generate(model, tokenizer, PROMPT, max_tokens=3))
    own = bool(used) and all(stream != default for stream in used)
    counts = f"async_eval {asynchronous.call_count} times, clear_cache {clear.call_count} times"
    return shown(own and asynchronous.called and clear.called, f"own stream: {own}, {counts}")


@CHECKS.add("`batch_generate` takes token lists and rejects strings")
def model_batch_generate(path: str) -> Observation:
    model, tokenizer = loaded(path)
    batch = import_module("mlx_lm").batch_generate
    rejected = raises(lambda: batch(model, tokenizer, [PROMPT, PROMPT], max_tokens=2) and None)
    ids = tokens(tokenizer)
    texts = batch(model, tokenizer, [ids, ids + ids], max_tokens=2).texts
    return shown(rejected.holds and len(texts) == 2, f"strings: {rejected.text}; token lists: {len(texts)} texts")


@CHECKS.add("`batch_generate(max_tokens=1)` works")
def model_batch_one_token(path: str) -> Observation:
    model, tokenizer = loaded(path)
    try:
        batch = import_module("mlx_lm").batch_generate(model, tokenizer, [tokens(tokenizer)], max_tokens=1)
    except ZeroDivisionError as error:
        return Observation(False, f"ZeroDivisionError: {error}")
    return expected(len(batch.texts), 1)
