from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_prompt_cache
from mlxlint.model.values import string
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._tiny import tiny


class CacheFileArguments(Rule):
    """`save_prompt_cache` is given the cache first

    ## What it does
    Finds `save_prompt_cache(cache, path)`.

    ## PyTorch and MLX
    `torch.save(object, path)` has the object first. MLX's functions that save have the file first, and
    `save_prompt_cache(path, cache)` too: swapped, they raise.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache, save_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    save_prompt_cache(cache, "prompt.safetensors")
    ```

    ## Use instead
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache, save_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    save_prompt_cache("prompt.safetensors", cache)
    ```

    ## Fix safety
    Safe: the two arguments change places.

    ## References
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX710"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset({"save_prompt_cache"})
    message = "`save_prompt_cache` takes the file name first, then the cache"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx_lm.models.cache.save_prompt_cache" or len(node.args) < 2:
            return
        first, second = node.args[:2]
        if any(arg.star or arg.keyword for arg in (first, second)):
            return
        if is_prompt_cache(context.value(first.value)) or string(context.value(second.value)):
            edits = [
                Replace(first.value, context.text(second.value)),
                Replace(second.value, context.text(first.value)),
            ]
            context.report(self, node, fix=NodeFix("Swap the arguments", edits))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx_lm.models.cache import load_prompt_cache, make_prompt_cache, save_prompt_cache

        model, _ = tiny()
        cache = make_prompt_cache(model)
        mx.eval(model(mx.array([[3, 4]]), cache=cache))
        hazard = raises(lambda: save_prompt_cache(cache, "cache.safetensors"))
        save_prompt_cache("cache.safetensors", cache)
        offset = load_prompt_cache("cache.safetensors")[0].offset
        return Evidence(hazard, shown(offset == 2, f"loaded again, the cache holds {offset} tokens"))
