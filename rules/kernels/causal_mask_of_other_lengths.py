from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

from ._flow import origin, subject

_ATTENTION = "mlx.core.fast.scaled_dot_product_attention"
_FAR = 12  # steps back


class CausalMaskOfOtherLengths(Rule):
    """`mask="causal"` where queries and keys differ in length

    ## What it does
    Finds attention with `mask="causal"` whose queries and keys are known to differ in length, or are computed from
    different arguments of the function, as in cross attention. Keys from a cache are another matter.

    ## PyTorch and MLX
    With `is_causal=True` PyTorch lets the first query see the first key: the mask is aligned to the upper left. MLX
    aligns it to the lower right, which is what a cache needs: the last query sees all keys, and with more keys than
    queries the first sees several.

    ## Example
    ```python
    import mlx.core as mx

    q, k = mx.zeros((1, 2, 3, 8)), mx.zeros((1, 2, 5, 8))
    y = mx.fast.scaled_dot_product_attention(q, k, k, scale=0.35, mask="causal")
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    q, k = mx.zeros((1, 2, 3, 8)), mx.zeros((1, 2, 5, 8))
    y = mx.fast.scaled_dot_product_attention(q, k, k, scale=0.35, mask=mx.tri(3, 5).astype(mx.bool_))
    ```

    ## References
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX816"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"scaled_dot_product_attention"})
    message = "queries and keys {differ}, and `causal` aligns to the lower right, where PyTorch does to the upper left"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != _ATTENTION:
            return
        if constant(context.value(context.argument(node, None, "mask")), str) != "causal":
            return
        query, key = context.argument(node, 0, "q"), context.argument(node, 1, "k")
        if query is None or key is None:
            return
        lengths = [_length(context.array(each)) for each in (query, key)]
        if None not in lengths:
            if lengths[0] != lengths[1]:
                differ = f"are {lengths[0]} and {lengths[1]} long"
                context.report(self, node, because=[query, key], differ=differ)
            return
        ours, theirs = _roots(query, context), _roots(key, context)
        if ours and theirs and not ours & theirs:
            differ = f"come from `{min(ours)}` and `{min(theirs)}`"
            context.report(self, node, because=[query, key], confidence=Confidence.LIKELY, differ=differ)

    @staticmethod
    def repro(queries: int = 3, keys: int = 5) -> Evidence:
        import mlx.core as mx

        queries, keys = max(1, min(queries, 64)), max(2, min(keys, 64))
        lengths = enumerate((queries, keys, keys))
        q, k, v = (mx.random.normal((1, 1, n, 8), key=mx.random.key(seed)) for seed, n in lengths)
        attention = mx.fast.scaled_dot_product_attention
        first = v[:, :, :1]  # all that PyTorch's first query sees
        causal = attention(q, k, v, scale=0.35, mask="causal")[:, :, :1]
        tri = attention(q, k, v, scale=0.35, mask=mx.tri(queries, keys).astype(mx.bool_))[:, :, :1]
        return Evidence(differs(causal, first, what="the first query"), agrees(tri, first))


def _length(array: Array | None) -> int | None:
    size = array.shape[-2] if array is not None and array.shape is not None and len(array.shape) == 4 else None
    return size if isinstance(size, int) else None


def _roots(node: cst.BaseExpression, context: Context, far: int = _FAR) -> set[str]:
    """The parameters of its function that an array is computed from; empty when that is not known."""
    code = context.enclosing_function(node)
    parameters = {parameter.name.value for parameter in code.parameters} if code is not None else set()
    made = origin(node, context)
    if isinstance(made, cst.Name):
        return {made.value} & parameters
    if far == 0:
        return set()
    if isinstance(made, cst.Call):
        layer = (context.callee(made) or "").endswith(".__call__")
        inner = made.args[0].value if layer and made.args else subject(made, context)
        return _roots(inner, context, far - 1) if inner is not None else set()
    if isinstance(made, cst.Subscript):
        return _roots(made.value, context, far - 1)
    if isinstance(made, cst.BinaryOperation):
        sides = [_roots(side, context, far - 1) for side in (made.left, made.right)]
        return sides[0] | sides[1]
    return set()
