from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._tiny import tiny

_TRIM, _CAN = "mlx_lm.models.cache.trim_prompt_cache", "mlx_lm.models.cache.can_trim_prompt_cache"


class TrimmingUnchecked(Rule):
    """A prompt cache is trimmed, and nobody asks whether it was

    ## What it does
    Finds `trim_prompt_cache(cache, n)` as a statement of its own, in a function that never asks
    `can_trim_prompt_cache`.

    ## PyTorch and MLX
    `DynamicCache.crop` of `transformers` always crops. `trim_prompt_cache` returns how many tokens it took away. For
    rotating caches that are full, and for recurrent layers, that is 0: the cache is as before, and what follows is
    generated after tokens that should be gone.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache, trim_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    trim_prompt_cache(cache, 4)
    ```

    ## Use instead
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    if can_trim_prompt_cache(cache):
        trim_prompt_cache(cache, 4)
    else:
        cache = make_prompt_cache(model)
    ```

    ## References
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX721"
    kind = Kind.SILENT
    severity = Severity.INFO
    calls = frozenset({"trim_prompt_cache"})
    message = "`trim_prompt_cache` takes nothing away from some caches: look at what it returns"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != _TRIM or not context.is_dropped(node):
            return
        code = context.enclosing_function(node)
        scope = context.tree if code is None else code.node
        asked = (context.callee(call) == _CAN for call in context.walk(scope) if isinstance(call, cst.Call))
        if not any(asked):
            context.report(self, node)

    @staticmethod
    def repro(tokens: int = 6) -> Evidence:
        import mlx.core as mx
        from mlx_lm.models.cache import KVCache, RotatingKVCache, trim_prompt_cache

        model, _ = tiny()

        def trimmed(make: object) -> int:
            cache = [make() for _ in model.layers]  # type: ignore[operator]
            for token in range(tokens):
                mx.eval(model(mx.array([[token]]), cache=cache))
            return int(trim_prompt_cache(cache, 2))

        rotating, plain = trimmed(lambda: RotatingKVCache(max_size=4, keep=0)), trimmed(KVCache)
        return Evidence(
            shown(rotating == 0, f"of a rotating cache that is full: {rotating} of 2 trimmed"),
            shown(plain == 2, f"of a plain cache: {plain}"),
        )
