"""Loops that generate with one prompt cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_prompt_cache
from mlxlint.model.tree import dotted

from ._generation import BATCHED, EVERY, prompt_of

Loop = cst.For | cst.While


@dataclass(frozen=True)
class CachedGeneration:
    """A generation in a loop whose prompt cache was made before the loop, and is the same one in each pass."""

    call: cst.Call
    prompt: cst.BaseExpression
    cache: str  # its name outside the loop
    loop: Loop


def cached_generation(call: cst.Call, context: Context) -> CachedGeneration | None:
    callee = context.callee(call)
    cache = context.argument(call, None, "prompt_cache") if callee in EVERY and callee != BATCHED else None
    if callee is None or cache is None or not is_prompt_cache(context.value(cache)):
        return None
    loop: Loop | None = context.enclosing(call, cst.For, cst.While)  # type: ignore[assignment]
    prompt = prompt_of(call, callee, context)
    source = _before(cache, loop, context) if loop is not None else None
    if loop is None or prompt is None or source is None or _touches(loop, source, context):
        return None
    return CachedGeneration(call, prompt, source, loop)


def _before(cache: cst.BaseExpression, loop: Loop, context: Context) -> str | None:
    """The name outside the loop that a cache has, through plain renaming; None when the loop makes it."""
    for _ in range(4):
        name = dotted(cache)
        if name is None:
            return None
        given = [value for target, value in assignments(loop, context) if target == name]
        if not given:
            return name
        cache = given[-1]
    return None


def _touches(loop: Loop, cache: str, context: Context) -> bool:
    """Whether a loop trims the cache, copies its state back or hands it to a function of its own."""
    for call, _, _ in context.calls(loop.body, through=False):
        callee = context.callee(call)
        if callee is None and any(dotted(arg.value) == cache for arg in call.args):
            return True
        if callee == "mlx_lm.models.cache.trim_prompt_cache" or (callee or "").endswith(".trim"):
            return True
    return False


def assignments(loop: Loop, context: Context) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Name and value of the plain assignments in a loop."""
    for node in context.walk(loop.body):
        if isinstance(node, cst.Assign):
            names = map(dotted, (target.target for target in node.targets))
            yield from ((name, node.value) for name in names if name is not None)


def sources(prompt: cst.BaseExpression, loop: Loop, context: Context) -> list[cst.CSTNode]:
    """The expressions in a loop that a prompt is made of, names assigned there looked up."""
    found: list[cst.CSTNode] = []
    given = list(assignments(loop, context))
    pending, seen = [prompt], set[str]()
    while pending:
        for node in context.walk(pending.pop()):
            found.append(node)
            if isinstance(node, cst.Name) and node.value not in seen:
                seen.add(node.value)
                pending += [value for target, value in given if target == node.value]
    return found
