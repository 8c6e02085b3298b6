from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_model
from mlxlint.model.tree import dotted
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

from ._caches import CachedGeneration, cached_generation, sources
from ._generation import EVERY, NAMES
from ._tiny import tiny


class PromptCacheShared(Rule):
    """Several continuations of one prompt use the same cache

    ## What it does
    Finds a loop that continues a prompt, held in a prompt cache since before the loop, with one text after another,
    and gives each generation the same cache.

    ## PyTorch and MLX
    A prompt cache of MLX-LM is changed in place: after a generation it holds that prompt and the new tokens as well.
    The second text then continues the first answer instead of the common beginning, without an error. Give each its
    own copy, or trim the cache back.

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    model(mx.array([tokenizer.encode("Once upon a time")]), cache=cache)
    for ending in [" there was a king", " there was a cat"]:
        print(generate(model, tokenizer, ending, prompt_cache=cache))
    ```

    ## Use instead
    ```python
    import copy

    import mlx.core as mx
    from mlx_lm import generate, load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    model(mx.array([tokenizer.encode("Once upon a time")]), cache=cache)
    for ending in [" there was a king", " there was a cat"]:
        print(generate(model, tokenizer, ending, prompt_cache=copy.deepcopy(cache)))
    ```

    ## Fix safety
    Each pass is given a copy. It is unsafe: the passes may be turns of one conversation.

    ## References
    - [MLX-LM, prompt caches](https://github.com/ml-explore/mlx-lm#long-prompts-and-generations)
    """

    code = "MLX707"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = NAMES
    message = "each pass continues the last one: `{cache}` is changed in place; copy it with `copy.deepcopy`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = cached_generation(node, context)
        if found is None or not isinstance(found.loop, cst.For):
            return
        if _is_filled_before(found, context) and _is_one_of_many(found, context):
            fix = _copied(node, context)
            context.report(self, node, confidence=Confidence.LIKELY, cache=found.cache, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import copy

        import mlx.core as mx
        from mlx_lm import generate
        from mlx_lm.models.cache import make_prompt_cache

        model, tokenizer = tiny()

        def lengths(own: bool) -> list[int]:
            cache = make_prompt_cache(model)
            mx.eval(model(mx.array([[1, 3, 4]]), cache=cache))
            ends = []
            for _ in range(2):
                branch = copy.deepcopy(cache) if own else cache
                generate(model, tokenizer, [5, 6], max_tokens=2, prompt_cache=branch)
                ends.append(branch[0].offset)
            return ends

        fresh = lengths(own=True)
        hazard = differs(lengths(own=False), [fresh[0]] * 2, what="tokens in the cache after each generation")
        return Evidence(hazard, agrees(fresh, [fresh[0]] * 2))


def _is_filled_before(found: CachedGeneration, context: Context) -> bool:
    """Whether the cache holds a prompt when the loop begins."""
    inside = set(context.walk(found.loop))
    function = context.enclosing_function(found.call)
    for call, called in context.module.calls.items():
        name = "prompt_cache" if context.callee(call) in EVERY else "cache" if is_model(called) else None
        given = context.argument(call, None, name) if name is not None else None
        if given is not None and dotted(given) == found.cache and call not in inside:
            if context.enclosing_function(call) is function:
                return True
    return False


def _is_one_of_many(found: CachedGeneration, context: Context) -> bool:
    """Whether the prompts are texts of a list, rather than turns of one conversation."""
    assert isinstance(found.loop, cst.For)
    targets = {node.value for node in context.walk(found.loop.target) if isinstance(node, cst.Name)}
    parts = sources(found.prompt, found.loop, context)
    names = {node.value for node in parts if isinstance(node, cst.Name)}
    methods = {node.attr.value for node in parts if isinstance(node, cst.Attribute)}
    return bool(targets & names) and "apply_chat_template" not in methods


def _copied(node: cst.Call, context: Context) -> NodeFix | None:
    cache, copy = context.argument(node, None, "prompt_cache"), context.importing("copy.deepcopy")
    if cache is None or copy is None:
        return None
    name, imports = copy
    edits: list[NodeEdit] = [*imports, Replace(cache, f"{name}({context.text(cache)})")]
    return NodeFix("Generate with a copy", edits, Applicability.UNSAFE)
