from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._flow import operation, option, origin
from ._measure import agree, peak_bytes, seconds

_ATTENTION = "mlx.core.fast.scaled_dot_product_attention"


class RepeatedHeads(Rule):
    """Keys and values are repeated for every query head before attention

    ## What it does
    Finds `mx.repeat(k, n, axis=1)` of the keys or values given to `mx.fast.scaled_dot_product_attention`. It is
    advice.

    ## PyTorch and MLX
    PyTorch's attention wants as many key heads as query heads, unless `enable_gqa` is set, and `transformers` has
    `repeat_kv` for it. MLX's takes fewer heads of keys and values as they are: repeating them copies the whole cache
    in each step.

    ## Example
    ```python
    import mlx.core as mx


    def attention(q, k, v):
        k, v = mx.repeat(k, 4, axis=1), mx.repeat(v, 4, axis=1)
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=0.125)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def attention(q, k, v):
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=0.125)
    ```

    ## References
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX858"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset({"scaled_dot_product_attention"})
    message = "the heads of `{what}` are repeated: attention takes fewer heads of keys and values as they are"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != _ATTENTION:
            return
        for place, name in ((1, "k"), (2, "v")):
            given = context.argument(node, place, name)
            if given is not None and _is_repeated(given, context):
                context.report(self, given, what=context.brief(given), confidence=Confidence.LIKELY)
                return

    @staticmethod
    def repro(repeats: int = 4) -> Evidence:
        import mlx.core as mx

        attention = mx.fast.scaled_dot_product_attention
        q = mx.random.normal((1, 2 * repeats, 8, 64), key=mx.random.key(0))
        k, v = (mx.random.normal((1, 2, 2048, 64), key=mx.random.key(n)) for n in (1, 2))

        def repeated(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
            return attention(q, mx.repeat(k, repeats, axis=1), mx.repeat(v, repeats, axis=1), scale=0.125)

        def plain(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
            return attention(q, k, v, scale=0.125)

        more, less = peak_bytes(repeated, q, k, v), peak_bytes(plain, q, k, v)
        times = f"{seconds(repeated, q, k, v) * 1e3:.2f} and {seconds(plain, q, k, v) * 1e3:.2f} ms"
        return Evidence(
            shown(more > 1.3 * less, f"{more} bytes, as they are {less}; {times} on {mx.default_device()}"),
            agree(plain(q, k, v), repeated(q, k, v)),
        )


def _is_repeated(node: cst.BaseExpression, context: Context) -> bool:
    made = origin(node, context)
    if not isinstance(made, cst.Call) or operation(made, context) != "repeat":
        return False
    return constant(context.value(option(made, 1, "axis", context)), int) in (1, -3)
