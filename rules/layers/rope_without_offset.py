from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown
from mlxlint.rules._statements import block

_GROWING = frozenset({"update", "update_and_fetch", "append"})


class RopeWithoutOffset(Rule):
    """RoPE is applied without the cache's offset in the branch that has a cache

    ## What it does
    Finds calls of an `nn.RoPE` with an array alone, where a cache is given (`if cache is not None:`) or grows below
    (`cache.update_and_fetch(keys, values)`), and what the call returns is put in it.

    ## PyTorch and MLX
    Ports of PyTorch code pass positions along. `nn.RoPE` counts from zero unless `offset` says how many tokens came
    before: each newly generated token is turned as if it were the first.

    ## Example
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.rope = nn.RoPE(8)

        def __call__(self, queries, keys, values, cache=None):
            if cache is not None:
                queries = self.rope(queries)
                keys = self.rope(keys)
                keys, values = cache.update_and_fetch(keys, values)
            return queries, keys, values
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.rope = nn.RoPE(8)

        def __call__(self, queries, keys, values, cache=None):
            if cache is not None:
                queries = self.rope(queries, offset=cache.offset)
                keys = self.rope(keys, offset=cache.offset)
                keys, values = cache.update_and_fetch(keys, values)
            return queries, keys, values
    ```

    ## References
    - [RoPE](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.RoPE.html)
    """

    code = "MLX371"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"__call__"})
    message = "`{call}` turns by positions from 0, and `{cache}` holds tokens before them: give `offset`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.nn.RoPE.__call__" or len(node.args) != 1 or node.args[0].star:
            return
        cache = _cache_around(node, context) or _cache_after(node, context)
        if cache is not None:
            context.report(self, node, confidence=LIKELY, call=context.brief(node), cache=cache)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        rope, x = nn.RoPE(4), mx.random.normal((1, 3, 4))
        expected = rope(x)[:, 2:]
        return Evidence(
            differs(rope(x[:, 2:]), expected),
            shown(mx.allclose(rope(x[:, 2:], offset=2), expected, atol=1e-5).item(), "with offset=2 it is the same"),
        )


def _cache_around(node: cst.Call, context: Context) -> str | None:
    """The name of the cache that is surely given where a node stands."""
    inner: cst.CSTNode = node
    statements, at = block(node, context)
    for statement in statements[at + 1 :]:
        for part in tree.walk(statement) if isinstance(statement, cst.Assign) else ():
            if isinstance(part, cst.Attribute) and part.attr.value in _GROWING and _is_cache(part.value):
                return tree.dotted(part.value)
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.FunctionDef):
            return None
        if isinstance(ancestor, cst.If):
            name = _given(ancestor.test)
            if name is not None and inner is ancestor.body:
                return name
        inner = ancestor
    return None


def _given(test: cst.BaseExpression) -> str | None:
    """``cache`` of ``cache is not None`` and of ``cache``."""
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        target = test.comparisons[0]
        if not isinstance(target.operator, cst.IsNot) or tree.dotted(target.comparator) != "None":
            return None
        test = test.left
    return tree.dotted(test) if _is_cache(test) else None


def _cache_after(node: cst.Call, context: Context) -> str | None:
    """A cache that the function of a call adds to, where none of its rotations is told the offset."""
    function = context.enclosing_function(node)
    if function is None or _is_without_cache(node, context):
        return None
    found, after = None, False
    for call in context.nodes(function.node.body, cst.Call):
        if context.callee(call) == "mlx.nn.RoPE.__call__" and len(call.args) > 1:
            return None
        after = after or call is node
        grows = isinstance(call.func, cst.Attribute) and call.func.attr.value in _GROWING
        if after and grows and isinstance(call.func, cst.Attribute) and _is_cache(call.func.value):
            found = tree.dotted(call.func.value)
    return found


def _is_without_cache(node: cst.CSTNode, context: Context) -> bool:
    """Whether a place is reached only where no cache is given: the ``else`` of ``if cache is not None``."""
    inner = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.If) and inner is ancestor.orelse and _given(ancestor.test) is not None:
            return True
        inner = ancestor
    return False


def _is_cache(node: cst.BaseExpression) -> bool:
    return "cache" in (tree.dotted(node) or "").rpartition(".")[2].lower()
