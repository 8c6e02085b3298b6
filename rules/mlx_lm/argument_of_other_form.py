from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import ops
from mlxlint.model.values import Dict, Name, Value, scalar_type, string
from mlxlint.rule import Evidence, Fixable, Insert, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import BATCHED, GENERATE, is_integer
from ._tiny import tiny

_SAVERS = {"mlx_lm.models.cache.save_prompt_cache": 2, "mlx.core.save_safetensors": 2}
_FOURTH = {BATCHED: "`prompt_caches`", GENERATE: "`verbose`"}


class ArgumentOfOtherForm(Rule):
    """An argument of MLX-LM stands in another form or place than it is read in

    ## What it does
    Finds a token limit as the fourth argument of `generate` or `batch_generate`, a dtype object for `convert`, a string
    for `load_model`, and metadata that are no strings for `save_prompt_cache` and `mx.save_safetensors`.

    ## PyTorch and MLX
    The fourth argument of `generate` is `verbose`, that of `batch_generate` `prompt_caches`. `convert` compares `dtype`
    with strings and ignores anything else; `load_model` takes a `pathlib.Path`. Safetensors files hold strings as
    metadata, and others raise.

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
    calls = frozenset({"generate", "batch_generate", "convert", "load_model", "save_prompt_cache", "save_safetensors"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        problem, place, fix = None, None, None
        if callee in _FOURTH:
            place = context.argument(node, 3)
            if place is not None and is_integer(context.value(place)):
                problem = f"the fourth argument is {_FOURTH[callee]}: name it `max_tokens`"
                fix = NodeFix("Name it `max_tokens`", [Insert(place, "max_tokens=")])
        elif callee == "mlx_lm.convert":
            place = context.argument(node, None, "dtype")
            dtype = _dtype(context.value(place))
            if place is not None and dtype is not None:
                problem = f'`dtype` is compared with strings: it is `"{dtype}"`'
                fix = NodeFix(f'Use `"{dtype}"`', [Replace(place, f'"{dtype}"')])
        elif callee == "mlx_lm.utils.load_model":
            place = context.argument(node, 0, "model_path")
            if place is not None and string(context.value(place)):
                problem = "`load_model` takes a `pathlib.Path`, and this is a string"
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
            hazard = shown(unlimited > 1, f"a fourth argument of 1: {unlimited} words")
            return Evidence(hazard, shown(named <= 1, f"max_tokens=1: {named} words"))
        if function == "mlx_lm.utils.load_model":
            from mlx_lm.utils import load_model

            return Evidence(raises(lambda: load_model("nowhere"), TypeError), shown(True, "a Path is read"))
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
