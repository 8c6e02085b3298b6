"""Statements about MLX-LM, those that need no model from disk."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mlxlint.rule import Observation, shown
from mlxlint.verify.surface import Checks, expected, present, together

CHECKS = Checks("mlx-lm")


def parameters_of(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


def listed(what: str, names: set[str]) -> str:
    return f"{what} {', '.join(sorted(names))}" if names else ""


@CHECKS.add("`mlx_lm` exports load, generate, stream_generate, batch_generate and convert")
def lm_exports() -> Observation:
    return present(import_module("mlx_lm"), "load", "generate", "stream_generate", "batch_generate", "convert")


@CHECKS.add("`load` has `lazy` and `revision`")
def lm_load_parameters() -> Observation:
    missing = {"lazy", "revision"} - parameters_of(import_module("mlx_lm").load)
    return shown(not missing, listed("missing", missing) or "lazy, revision")


@CHECKS.add("`stream_generate` has prompt, max_tokens and draft_model; sampling goes through `sampler=`")
def lm_stream_generate_parameters() -> Observation:
    generate = import_module("mlx_lm.generate")
    step = parameters_of(generate.generate_step)
    missing = {"model", "tokenizer", "prompt", "max_tokens", "draft_model"} - parameters_of(generate.stream_generate)
    missing |= {"sampler", "logits_processors", "max_kv_size", "prompt_cache"} - step
    return shown(not missing and "temp" not in step, listed("missing", missing) or listed("generate_step has", step))


@CHECKS.add("`batch_generate` has prompts and max_tokens")
def lm_batch_generate_parameters() -> Observation:
    found = parameters_of(import_module("mlx_lm").batch_generate)
    return shown({"prompts", "max_tokens"} <= found, ", ".join(sorted(found)))


@CHECKS.add("`GenerationResponse` has text, token, logprobs, speeds, peak memory and the finish reason")
def lm_generation_response() -> Observation:
    generate = import_module("mlx_lm.generate")
    fields = set(generate.GenerationResponse.__dataclass_fields__)
    wanted = {
        "text",
        "token",
        "logprobs",
        "prompt_tokens",
        "prompt_tps",
        "generation_tokens",
        "generation_tps",
        "peak_memory",
        "finish_reason",
    }
    return shown(wanted <= fields, f"fields: {', '.join(sorted(fields))}")


@CHECKS.add("prefill is chunked and the key-value cache can be quantized while generating")
def lm_prefill_and_quantized_cache() -> Observation:
    wanted = {"prefill_step_size", "kv_bits", "kv_group_size", "quantized_kv_start"}
    missing = wanted - parameters_of(import_module("mlx_lm.generate").generate_step)
    return shown(not missing, listed("missing", missing) or listed("generate_step has", wanted))


def awq_packed() -> dict[str, Any]:
    """An AutoAWQ layer of 8 outputs and 64 inputs: weights 5 of 0..15, zero point 3, scale 2."""
    import mlx.core as mx

    def packed(rows: int, nibble: int) -> Any:
        return mx.full((rows, 1), int(f"{nibble:x}" * 8, 16), dtype=mx.uint32)

    return {"l.qweight": packed(64, 5), "l.qzeros": packed(1, 3), "l.scales": mx.full((1, 8), 2.0, dtype=mx.float16)}


@CHECKS.add("AutoAWQ and GPTQ weights in AutoAWQ's packing become MLX's quantized layout")
def lm_awq_layout() -> Observation:
    import mlx.core as mx

    utils = import_module("mlx_lm.utils")
    weights, settings = utils._transform_awq_weights(awq_packed(), {"bits": 4, "group_size": 64})
    value = mx.dequantize(
        weights["l.weight"], weights["l.scales"], weights["l.biases"], settings["group_size"], settings["bits"]
    )
    shapes = {name: weights[f"l.{name}"].shape for name in ("weight", "scales", "biases")}
    right = value.shape == (8, 64) and bool((value == (5 - 3) * 2).all().item())
    return shown(right and shapes["weight"] == (8, 8), f"{shapes}, dequantized to {value[0, 0].item()}")


@CHECKS.add("MLX-LM reads a `quantization_config` of AutoAWQ, GPTQ and other methods")
def lm_legacy_quantization() -> Observation:
    source = inspect.getsource(import_module("mlx_lm.utils").load_model)
    found = [
        method
        for method in ("quantization_config", "awq", "gptq", "bitnet", "mxfp4", "compressed-tensors")
        if method in source
    ]
    return shown({"quantization_config", "awq", "gptq"} <= set(found), f"load_model handles {', '.join(found)}")


@CHECKS.add('`create_attention_mask` returns "causal", None or an array')
def lm_attention_mask() -> Observation:
    import mlx.core as mx

    mask = import_module("mlx_lm.models.base").create_attention_mask
    many, one = mx.zeros((1, 4, 8)), mx.zeros((1, 1, 8))
    return together(
        causal=isinstance(mask(many), str) and mask(many) == "causal",
        none=mask(one) is None,
        array=isinstance(mask(many, return_array=True), mx.array),
    )


CACHES = {
    "KVCache": (),
    "RotatingKVCache": (8,),
    "QuantizedKVCache": (64, 8),
    "ConcatenateKVCache": (),
    "ArraysCache": (2,),
}
CACHE_SURFACE: dict[str, tuple[str, ...]] = dict.fromkeys(CACHES, ("state", "is_trimmable")) | dict.fromkeys(
    ("KVCache", "RotatingKVCache", "QuantizedKVCache"),
    ("update_and_fetch", "state", "is_trimmable", "trim", "make_mask"),
)


@CHECKS.add("KVCache, RotatingKVCache, QuantizedKVCache, ConcatenateKVCache and ArraysCache have their surfaces")
def lm_caches() -> Observation:
    cache = import_module("mlx_lm.models.cache")
    missing = []
    for name, arguments in CACHES.items():
        if not hasattr(cache, name):
            missing.append(name)
            continue
        instance = getattr(cache, name)(*arguments)
        missing += [f"{name}.{part}" for part in CACHE_SURFACE[name] if not hasattr(type(instance), part)]
    return shown(not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(CACHES))


def tiny_llama() -> Any:
    """A Llama of 2 small layers with random weights."""
    llama = import_module("mlx_lm.models.llama")
    return llama.Model(
        llama.ModelArgs(
            model_type="llama", hidden_size=32, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2,
            num_key_value_heads=1, rms_norm_eps=1e-5, vocab_size=64, head_dim=16,
        )
    )  # fmt: skip


@CHECKS.add("`max_kv_size` falls back to RotatingKVCache for models without a cache of their own")
def lm_max_kv_size() -> Observation:
    make = import_module("mlx_lm.models.cache").make_prompt_cache
    model = tiny_llama()
    if hasattr(model, "make_cache"):
        model = type("Plain", (), {"layers": model.layers})()
    kinds = [type(make(model, **options)[0]).__name__ for options in ({}, {"max_kv_size": 8})]
    return expected(kinds, ["KVCache", "RotatingKVCache"])


@CHECKS.add("prompt caches of mixed types round-trip through safetensors")
def lm_prompt_cache_round_trip() -> Observation:
    import mlx.core as mx

    cache = import_module("mlx_lm.models.cache")
    made = [cache.KVCache(), cache.RotatingKVCache(8)]
    if hasattr(cache, "ArraysCache"):
        made.append(cache.ArraysCache(2))
        made[-1][0], made[-1][1] = mx.ones((1, 3)), mx.ones((1, 2))
    for part in made[:2]:
        part.update_and_fetch(mx.ones((1, 1, 4, 16)), mx.ones((1, 1, 4, 16)))
    return round_trip(made)


def round_trip(made: list[Any]) -> Observation:
    """Whether a prompt cache is the same after having been saved and loaded."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    def arrays(parts: list[Any]) -> list[Any]:
        return [value for part in parts for _, value in tree_flatten(part.state) if isinstance(value, mx.array)]

    cache = import_module("mlx_lm.models.cache")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cache.safetensors")
        try:
            cache.save_prompt_cache(path, made)
            loaded = cache.load_prompt_cache(path)
        except Exception as error:
            return Observation(False, f"{type(error).__name__}: {error}")
        before, after = arrays(made), arrays(loaded)
        mx.eval(before, after)
    kinds = [type(part).__name__ for part in loaded]
    same = len(before) == len(after) and all(mx.array_equal(a, b).item() for a, b in zip(before, after, strict=True))
    right = same and kinds == [type(part).__name__ for part in made]
    return shown(right, f"{len(kinds)} caches: {', '.join(sorted(set(kinds)))}; {len(after)} arrays")
