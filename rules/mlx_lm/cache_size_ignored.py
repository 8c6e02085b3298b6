from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_prompt_cache
from mlxlint.model.values import Const, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._generation import BATCHED, EVERY
from ._tiny import tiny

_MAKE = "mlx_lm.models.cache.make_prompt_cache"
_OWN = "`max_kv_size` is read for models that leave their caches to MLX-LM: Llama and others ignore it"


class CacheSizeIgnored(Rule):
    """`max_kv_size` is given where nobody reads it

    ## What it does
    Finds `max_kv_size` beside `prompt_cache`, as a warning, and `max_kv_size` alone, for `generate`,
    `stream_generate`, `generate_step` and `make_prompt_cache`, as a note.

    ## PyTorch and MLX
    In `transformers` a sliding window is asked for by the class of the cache. `max_kv_size` of MLX-LM chooses the
    caches that are made: a cache that is given stays as it is, and a model with a `make_cache` of its own, since
    MLX-LM 0.28.3 also Llama, is asked for its caches without it. Memory then grows with the length of the text.

    ## Example
    ```python
    from mlx_lm import generate, load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    text = generate(model, tokenizer, "What is MLX?", prompt_cache=cache, max_kv_size=4096)
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load
    from mlx_lm.models.cache import RotatingKVCache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = [RotatingKVCache(max_size=4096, keep=4) for _ in range(len(model.layers))]
    text = generate(model, tokenizer, "What is MLX?", prompt_cache=cache)
    ```

    ## References
    - [MLX-LM, long prompts and generations](https://github.com/ml-explore/mlx-lm#long-prompts-and-generations)
    """

    code = "MLX722"
    kind = Kind.COST
    severity = Severity.WARNING
    calls = frozenset({*(name.rpartition(".")[2] for name in EVERY - {BATCHED}), "make_prompt_cache"})
    message = "`max_kv_size` is ignored: the caches are given as `prompt_cache`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in EVERY and callee != _MAKE:
            return
        size = context.argument(node, 1 if callee == _MAKE else None, "max_kv_size")
        if size is None or _is_none(size, context):
            return
        cache = context.argument(node, None, "prompt_cache")
        if cache is not None and is_prompt_cache(context.value(cache)):
            context.report(self, size)
        elif cache is None and constant(context.value(size), int) is not None:
            context.report(self, size, template=_OWN, severity=Severity.INFO)

    @staticmethod
    def repro(size: int = 4) -> Evidence:
        from mlx_lm import generate
        from mlx_lm.models.cache import KVCache, RotatingKVCache

        model, tokenizer = tiny()

        def kept(make: object, **options: int) -> int:
            cache = [make() for _ in model.layers]  # type: ignore[operator]
            generate(model, tokenizer, [3, 4, 5, 6], max_tokens=6, prompt_cache=cache, **options)
            return len(cache[0].keys[0, 0]) if isinstance(cache[0], RotatingKVCache) else int(cache[0].size())

        given, rotating = kept(KVCache, max_kv_size=size), kept(lambda: RotatingKVCache(max_size=size, keep=0))
        return Evidence(
            shown(given > size, f"max_kv_size={size} beside a cache: {given} positions are kept"),
            shown(rotating < given, f"in a rotating cache of that size: {rotating}"),
        )


def _is_none(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Const) and value.value is None
