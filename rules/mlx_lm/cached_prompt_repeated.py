from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

from ._caches import CachedGeneration, assignments, cached_generation, sources
from ._generation import NAMES
from ._tiny import tiny


class CachedPromptRepeated(Rule):
    """The whole conversation is passed again to a generation that has it in its cache

    ## What it does
    Finds a loop that generates with one prompt cache while its prompt is made of a history that grows in each pass.

    ## PyTorch and MLX
    transformers is given the whole conversation each time and skips what its cache holds. MLX-LM takes the prompt as
    new tokens after those in the cache: the conversation is there twice, thrice, ... and the answers change, without
    an error. Pass the new turn alone, or no cache.

    ## Example
    ```python
    from mlx_lm import generate, load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    messages = []
    for question in ["What is MLX?", "Who made it?"]:
        messages.append({"role": "user", "content": question})
        prompt = tokenizer.apply_chat_template(messages)
        answer = generate(model, tokenizer, prompt, prompt_cache=cache)
        messages.append({"role": "assistant", "content": answer})
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    for question in ["What is MLX?", "Who made it?"]:
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}])
        answer = generate(model, tokenizer, prompt, prompt_cache=cache)
    ```

    ## References
    - [MLX-LM, chat.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/chat.py)
    """

    code = "MLX708"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = NAMES
    message = "`{history}` grows in each pass, and `{cache}` holds what was in it already: pass what is new alone"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = cached_generation(node, context)
        history = _growing(found, context) if found is not None else None
        if found is not None and history is not None:
            context.report(self, found.prompt, confidence=Confidence.LIKELY, history=history, cache=found.cache)

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm import generate
        from mlx_lm.models.cache import make_prompt_cache

        model, tokenizer = tiny()
        turns = [[3, 4], [5, 6]]

        def cached(whole: bool) -> int:
            cache, history = make_prompt_cache(model), []
            for turn in turns:
                history += turn
                generate(model, tokenizer, list(history) if whole else turn, max_tokens=1, prompt_cache=cache)
            return int(cache[0].offset)

        once = cached(whole=False)
        hazard = differs(cached(whole=True), once, what="tokens in the cache after two turns")
        return Evidence(hazard, agrees(once, cached(whole=False)))


def _growing(found: CachedGeneration, context: Context) -> str | None:
    """The list or string from before the loop to which the loop adds, if the prompt is made of the whole of it."""
    parts = sources(found.prompt, found.loop, context)
    if any(isinstance(part, cst.Slice) for part in parts):
        return None
    used = set(map(dotted, parts))
    fresh = {target for target, value in assignments(found.loop, context) if target not in _mentioned(value, context)}
    for node in context.walk(found.loop.body):
        grown = _added_to(node, context)
        if grown is not None and grown in used and grown not in fresh:
            return grown
    return None


def _added_to(node: cst.CSTNode, context: Context) -> str | None:
    """The name of what a node makes longer."""
    if isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.AddAssign):
        return dotted(node.target)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        return dotted(node.func.value) if node.func.attr.value in ("append", "extend") else None
    if isinstance(node, cst.Assign) and isinstance(node.value, cst.BinaryOperation):
        name = dotted(node.targets[0].target)
        return name if name in _mentioned(node.value, context) else None
    return None


def _mentioned(node: cst.CSTNode, context: Context) -> set[str | None]:
    return set(map(dotted, context.walk(node)))
