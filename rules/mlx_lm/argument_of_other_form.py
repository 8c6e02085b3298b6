from __future__ import annotations

import os

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import ops
from mlxlint.model.values import Dict, Name, Value, constant, scalar_type, string
from mlxlint.rule import Evidence, Fixable, Insert, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import BATCHED, GENERATE, is_integer
from ._tiny import tiny

_LOADER = "mlx_lm.models.cache.load_prompt_cache"
_SAVERS = {"mlx_lm.models.cache.save_prompt_cache": 2, "mlx.core.save_safetensors": 2}
_OF_PATHS = frozenset({"mlx_lm.utils.load_model", "mlx_lm.utils.load_config"})
_FOURTH = {BATCHED: "`prompt_caches`", GENERATE: "`verbose`"}


class ArgumentOfOtherForm(Rule):
    """An argument of MLX-LM stands in another form or place than it is read in

    ## What it does
    Finds a token limit as the fourth argument of `generate` or `batch_generate`, a limit of 0 tokens, a dtype object
    for `convert`, a string for `load_model` or `load_config`, a name without `.safetensors` for `load_prompt_cache`,
    and metadata that are no strings for `save_prompt_cache` and `mx.save_safetensors`.

    ## PyTorch and MLX
    The fourth argument of `generate` is `verbose`, that of `batch_generate` `prompt_caches`. `convert` compares
    `dtype` with strings and ignores anything else; `load_model` takes a `pathlib.Path`. `max_tokens=0` raises, where
    `max_new_tokens=0` gives no text. `save_prompt_cache` adds `.safetensors` to a name, `load_prompt_cache` does not.
    Safetensors files hold strings as metadata, and others raise.

    ## Example
    ```python
    from mlx_lm import batch_generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    answers = batch_generate(model, tokenizer, [tokenizer.encode("What is MLX?")], 64)
    ```

    ## Use instead
    ```python
    from mlx_lm import batch_generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    answers = batch_generate(model, tokenizer, [tokenizer.encode("What is MLX?")], max_tokens=64)
    ```

    ## Fix safety
    Safe: the argument is named, or written as it is read.

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX718"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset(
        {
            "generate",
            "batch_generate",
            "convert",
            "load_config",
            "load_model",
            "load_prompt_cache",
            "save_prompt_cache",
            "save_safetensors",
        }
    )
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        problem, place, fix = None, None, None
        if callee in _FOURTH:
            fourth = context.arguments(node).get(3)
            limit = context.argument(node, None, "max_tokens")
            if callee == GENERATE and constant(context.value(limit), int) == 0:
                place, problem = limit, "a limit of 0 tokens raises `ValueError`"
            elif fourth is not None and is_integer(context.value(fourth.value)):
                place = fourth.value
                problem = f"the fourth argument is {_FOURTH[callee]}: name it `max_tokens`"
                fix = NodeFix("Name it `max_tokens`", [Insert(fourth, "max_tokens=")])
        elif callee == "mlx_lm.convert":
            place = context.argument(node, None, "dtype")
            dtype = _dtype(context.value(place))
            if place is not None and dtype is not None:
                problem = f'`dtype` is compared with strings: it is `"{dtype}"`'
                fix = NodeFix(f'Use `"{dtype}"`', [Replace(place, f'"{dtype}"')])
        elif callee in _OF_PATHS:
            place = context.argument(node, 0, "model_path")
            if place is not None and string(context.value(place)):
                problem = f"`{callee.rpartition('.')[2]}` takes a `pathlib.Path`, and this is a string"
        elif callee == _LOADER:
            place = context.argument(node, 0, "file_name")
            name = constant(context.value(place), str)
            if name is not None and "." not in os.path.basename(name):
                problem = "`save_prompt_cache` adds `.safetensors` to a name, and `load_prompt_cache` reads it as it is"
        elif callee in _SAVERS:
            place = context.argument(node, _SAVERS[callee], "metadata")
            name = _no_string(context.value(place))
            problem = f"metadata are strings, and `{name}` is none" if name is not None else None
        if problem is not None and place is not None:
            context.report(self, place, problem=problem, fix=fix, repro={"function": callee})

    @staticmethod
    def repro(function: str = BATCHED) -> Evidence:
        import mlx.core as mx
        import mlx_lm

        if function == "mlx.core.save_safetensors":
            arrays = {"w": mx.zeros((2,))}
            hazard = raises(lambda: mx.save_safetensors("w.safetensors", arrays, {"step": 5}))
            mx.save_safetensors("w.safetensors", arrays, {"step": "5"})
            return Evidence(hazard, shown(True, 'metadata {"step": "5"} are saved'))
        model, tokenizer = tiny()
        if function == GENERATE:
            unlimited = len(mlx_lm.generate(model, tokenizer, [3], 1).split())
            named = len(mlx_lm.generate(model, tokenizer, [3], max_tokens=1).split())
            refused = raises(lambda: mlx_lm.generate(model, tokenizer, [3], max_tokens=0), ValueError)
            hazard = shown(
                unlimited > 1 and refused.holds,
                f"a fourth argument of 1: {unlimited} words; max_tokens=0: {refused.text}",
            )
            return Evidence(hazard, shown(named <= 1, f"max_tokens=1: {named} words"))
        if function == _LOADER:
            from mlx_lm.models.cache import load_prompt_cache, make_prompt_cache, save_prompt_cache

            save_prompt_cache("prompt", make_prompt_cache(model))
            hazard = raises(lambda: load_prompt_cache("prompt"))
            count = len(load_prompt_cache("prompt.safetensors"))
            return Evidence(hazard, shown(count == 2, f"prompt.safetensors holds {count} caches"))
        if function in _OF_PATHS:
            from mlx_lm import utils

            load = getattr(utils, function.rpartition(".")[2])
            return Evidence(raises(lambda: load("nowhere"), TypeError), shown(True, "a Path is read"))
        hazard = raises(lambda: mlx_lm.batch_generate(model, tokenizer, [[3, 4]], 2))
        texts = mlx_lm.batch_generate(model, tokenizer, [[3, 4]], max_tokens=2).texts
        return Evidence(hazard, shown(len(texts) == 1, f"max_tokens=2: {texts}"))


def _dtype(value: Value) -> str | None:
    return ops.dtype_of(value) if isinstance(value, Name) and value.name.startswith("mlx.core.") else None


def _no_string(metadata: Value) -> str | None:
    """The first key of metadata whose value surely is no string."""
    if not isinstance(metadata, Dict):
        return None
    kinds = {name: scalar_type(value) for name, value in metadata.items.items()}
    return next((name for name, kind in kinds.items() if kind is not None and kind != "str"), None)
