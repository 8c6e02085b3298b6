from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import CACHE_ENTRY, is_model
from mlxlint.model.values import Instance
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_PLAIN = frozenset({"mlx_lm.models.cache.KVCache", "mlx_lm.models.base.KVCache"})
_NOT_EVERY = frozenset({"keys", "values", "offset"})


class CachesOfOneKind(Rule):
    """Every layer of a loaded model is taken to have the same kind of cache

    ## What it does
    Finds `[KVCache() for _ in model.layers]` for a model that `load` returned, and `keys`, `values` or `offset` of an
    entry of a prompt cache in a function that asks neither `hasattr` nor `isinstance`.

    ## PyTorch and MLX
    The caches of `transformers` have one interface. In MLX-LM the model says which caches its layers need: hybrid
    models mix `KVCache` with `ArraysCache`, which has no `offset`, and models with sliding windows mix in
    `RotatingKVCache`. Ask the model with `make_prompt_cache`, and an entry what it is. It is a note: many models are
    of one kind.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    position = cache[0].offset
    ```

    ## Use instead
    ```python
    from mlx_lm import load
    from mlx_lm.models.cache import make_prompt_cache

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    cache = make_prompt_cache(model)
    position = next((entry.offset for entry in cache if hasattr(entry, "offset")), 0)
    ```

    ## References
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX723"
    kind = Kind.CRASH
    severity = Severity.INFO
    attributes = _NOT_EVERY
    message = "not every kind of cache has `{attribute}`: hybrid models have others in some layers"

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        if node.attr.value not in _NOT_EVERY:
            return
        entry = context.value(node.value)
        if isinstance(entry, Instance) and entry.type == CACHE_ENTRY and not _asks(node, context):
            context.report(self, node, because=[node.value], attribute=node.attr.value)

    def visit_ListComp(self, node: cst.ListComp, context: Context) -> None:
        if not isinstance(node.elt, cst.Call) or context.callee(node.elt) not in _PLAIN | {
            name + ".__call__" for name in _PLAIN
        }:
            return
        over = [part for part in context.walk(node.for_in.iter) if isinstance(part, cst.Attribute)]
        if any(part.attr.value == "layers" and is_model(context.value(part.value)) for part in over):
            context.report(
                self, node, template="the model may need other caches in some layers: ask `make_prompt_cache(model)`"
            )

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm.models.cache import ArraysCache, KVCache

        entries = [ArraysCache(2), KVCache()]
        hazard = raises(lambda: entries[0].offset, AttributeError)
        offset = next(entry.offset for entry in entries if hasattr(entry, "offset"))
        return Evidence(hazard, shown(offset == 0, f"of the entry that has one: {offset}"))


def _asks(node: cst.CSTNode, context: Context) -> bool:
    """Whether the function around a node asks an object what it is."""
    code = context.enclosing_function(node)
    scope = context.tree if code is None else code.node
    return any(
        isinstance(call.func, cst.Name) and call.func.value in ("hasattr", "isinstance", "getattr", "type")
        for call in context.walk(scope, into_functions=True)
        if isinstance(call, cst.Call)
    )
