"""What MLX-LM's functions and objects return: models, tokenizers, responses, prompt caches."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.model import ops
from mlxlint.model.arguments import Arguments
from mlxlint.model.values import (
    LIKELY,
    NONE,
    UNKNOWN,
    Array,
    Const,
    Dict,
    Function,
    Instance,
    Name,
    Partial,
    Scalar,
    Sequence,
    Value,
    as_array,
    constant,
    join,
    members,
)

MODULE = "mlx.nn.Module"  # of a loaded model no more than the base class is known; the keyword below tells it apart
LOADED = "loaded by"
TOKENIZER = "mlx_lm.tokenizer_utils.TokenizerWrapper"
RESPONSE = "mlx_lm.generate.GenerationResponse"
BATCH = "mlx_lm.generate.BatchResponse"
CACHE_ENTRY = "mlx_lm.models.cache.entry"  # one of several classes, as the model's layers ask
SAMPLER = "mlx_lm.sample_utils.sampler"
PROCESSOR = "mlx_lm.sample_utils.processor"
TOKENS = "mlx_lm.tokens"  # what a logits processor is given first
LOGITS = "mlx_lm.model.__call__"
_TOKENIZERS = (TOKENIZER, "transformers.")


def function(name: str, args: Arguments) -> Value:
    """The result of calling ``NAME`` of mlx_lm."""
    short = name.rpartition(".")[2]
    known = _RESULTS.get(short)
    if known is not None:
        return known
    if short in ("load", "load_model"):
        model = Instance(MODULE, None, (), {LOADED: Const(name)})
        if short == "load_model":
            return Sequence("tuple", (model, Dict()))
        if name.startswith("mlx_lm.tokenizer_utils."):
            return Instance(TOKENIZER)
        parts = (model, Instance(TOKENIZER))
        return _with_extra(parts, Dict(), args.get(None, "return_config", default=Const(False)))
    if short == "load_prompt_cache":
        return _with_extra((PROMPT_CACHE,), Dict(), args.get(1, "return_metadata", default=Const(False)))
    return Instance(name, None, args.positional, args.keywords) if short[:1].isupper() else UNKNOWN


def _with_extra(parts: tuple[Value, ...], extra: Value, wanted: Value) -> Value:
    """A result to which an option adds one more part."""
    if constant(wanted, bool) is None:
        return UNKNOWN
    if constant(wanted, bool):
        return Sequence("tuple", (*parts, extra))
    return parts[0] if len(parts) == 1 else Sequence("tuple", parts)


def _logprobs() -> Array:
    return Array(None, (None,), op="mlx_lm.generate.generate_step")


PROMPT_CACHE = Sequence("list", None, Instance(CACHE_ENTRY))
_RESULTS: dict[str, Value] = {
    "load_tokenizer": Instance(TOKENIZER),
    "generate": Scalar("str"),
    "stream_generate": Sequence("generator", None, Instance(RESPONSE)),
    "batch_generate": Instance(BATCH),
    "generate_step": Sequence("generator", None, Sequence("tuple", (Scalar("int"), _logprobs()))),
    "speculative_generate_step": Sequence(
        "generator", None, Sequence("tuple", (Scalar("int"), _logprobs(), Scalar("bool")))
    ),
    "make_sampler": Instance(SAMPLER),
    "make_logits_processors": Sequence("list", None, Name(PROCESSOR)),
    "make_prompt_cache": PROMPT_CACHE,
    "trim_prompt_cache": Scalar("int"),
    "can_trim_prompt_cache": Scalar("bool"),
    "save_prompt_cache": NONE,
    "linear_to_lora_layers": NONE,
}
_RESPONSE: dict[str, Value] = {
    "text": Scalar("str"),
    "token": Scalar("int"),
    "logprobs": _logprobs(),
    "from_draft": Scalar("bool"),
    "prompt_tokens": Scalar("int"),
    "prompt_tps": Scalar("float"),
    "generation_tokens": Scalar("int"),
    "generation_tps": Scalar("float"),
    "peak_memory": Scalar("float"),
    "finish_reason": join(Scalar("str"), NONE),
}
_BATCH: dict[str, Value] = {
    "texts": Sequence("list", None, Scalar("str")),
    "token_ids": join(Sequence("list", None, Sequence("list", None, Scalar("int"))), NONE),
}
_TOKENIZER: dict[str, Value] = {"bos_token": Scalar("str"), "eos_token": Scalar("str"), "vocab_size": Scalar("int")}


def callbacks(args: Arguments) -> Iterator[tuple[Value, Arguments]]:
    """The project's functions that generation is given, and what it calls them with."""
    step = Array(None, (None, None), op=LOGITS)
    tokens = Array(None, (None,), op=TOKENS)
    processors = args.keywords.get("logits_processors")
    if isinstance(processors, Sequence):
        given = processors.items if processors.items is not None else members(processors.element)
        yield from ((f, Arguments((tokens, step), {})) for f in given if _is_own(f))
    sampler = args.keywords.get("sampler", UNKNOWN)
    yield from ((f, Arguments((step,), {})) for f in members(sampler) if _is_own(f))


def _is_own(value: Value) -> bool:
    return isinstance(value, (Function, Partial)) or (isinstance(value, Instance) and value.code is not None)


def is_model(value: Value) -> bool:
    """Whether a value is surely a model that MLX-LM loaded."""
    return isinstance(value, Instance) and value.type == MODULE and isinstance(value.keywords.get(LOADED), Const)


def is_prompt_cache(value: Value) -> bool:
    """Whether a value is surely the list that ``make_prompt_cache`` or ``load_prompt_cache`` returns."""
    if not isinstance(value, Sequence) or value.kind != "list" or value.items == ():
        return False
    entry = value.joined()
    return isinstance(entry, Instance) and entry.type.startswith("mlx_lm.models.cache.")


def of_dtype(model: Instance, dtype: Value) -> Instance:
    """The model after ``set_dtype``."""
    stated = ops.dtype_of(dtype)
    changed: Instance = model.with_(
        keywords={**model.keywords, "dtype": Const(stated) if stated is not None else UNKNOWN}
    )
    return changed


def logits(model: Instance, args: Arguments) -> Value:
    """The result of calling a loaded model with token ids of shape (batch, length)."""
    ids = as_array(args.get(0, "inputs"))
    batch, length = ids.shape if ids is not None and ids.shape is not None and len(ids.shape) == 2 else (None, None)
    return Array(constant(model.keywords.get("dtype", UNKNOWN), str), (batch, length, None), op=LOGITS)


def attribute(instance: Instance, name: str) -> Value | None:
    """A data attribute of an object of MLX-LM; None for methods and what is not known."""
    if instance.type == RESPONSE:
        return _RESPONSE.get(name)
    if instance.type == BATCH:
        return _BATCH.get(name)
    return _TOKENIZER.get(name) if instance.type.startswith(_TOKENIZERS) else None


def method(instance: Instance, name: str, args: Arguments, node: cst.CSTNode | None = None) -> Value | None:
    """The result of a method of a tokenizer, MLX-LM's or transformers', or of a model; None when not known here."""
    if is_model(instance):
        return PROMPT_CACHE if name == "make_cache" else None
    if name == "apply_chat_template":
        return _templated(instance, args, node)
    if not instance.type.startswith(_TOKENIZERS):
        return None
    if name == "decode":
        return Scalar("str")
    if name == "batch_decode":
        return Sequence("list", None, Scalar("str"))
    if name == "encode" and not args.starred and "return_tensors" not in args.keywords:
        return Sequence("list", None, Scalar("int"))
    return None


def _templated(instance: Instance, args: Arguments, node: cst.CSTNode | None) -> Value:
    """What ``apply_chat_template`` gives: the text with ``tokenize=False``, else MLX-LM's a list of ids."""
    if constant(args.get(None, "tokenize", default=Const(True)), bool) is False:
        return Scalar("str", LIKELY, node)
    plain = not args.starred and not {"tokenize", "return_dict", "return_tensors"} & args.keywords.keys()
    return Sequence("list", None, Scalar("int")) if plain and instance.type == TOKENIZER else UNKNOWN


def pretrained(name: str) -> Value | None:
    """The result of ``transformers.CLASS.from_pretrained``; None for other names."""
    owner, _, short = name.rpartition(".")
    is_tokenizer = short == "from_pretrained" and owner.endswith(("Tokenizer", "TokenizerFast"))
    return Instance(owner) if is_tokenizer else None
