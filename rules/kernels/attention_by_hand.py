from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity

from ._flow import is_product, on_last_axis, operation, origin, sources, subject, uses
from ._measure import accuracy_gain

_TURNING = frozenset({"transpose", "swapaxes", "moveaxis"})


class AttentionByHand(Rule):
    """Attention is written out, where MLX has it in one function

    ## What it does
    Finds a softmax over the last axis between two matrix products, whatever its parts are called: the first of a
    query with a transposed key, perhaps scaled and masked, the second with the value. Weights that are looked at
    elsewhere, or dropped out, are left alone. It is advice.

    ## PyTorch and MLX
    `scaled_dot_product_attention` of PyTorch has a namesake in `mx.fast`. On a GPU it is one kernel that never stores
    the matrix of scores; on any device it keeps sums and softmax of half precision in `float32`. It takes arrays of
    shape (batch, heads, length, features), fewer heads for keys and values, and boolean, additive or causal masks.

    ## Example
    ```python
    import mlx.core as mx


    def attention(q, k, v):
        scores = (q @ k.transpose(0, 1, 3, 2)) * 0.125
        return mx.softmax(scores, axis=-1) @ v
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

    code = "MLX850"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset({"softmax"})
    message = "this is attention: `mx.fast.scaled_dot_product_attention` computes it in one step, and more accurately"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        scores = subject(node, context) if operation(node, context) == "softmax" else None
        if scores is None or not on_last_axis(node, context):
            return
        product = next((made for made in sources(scores, context) if is_product(made, context)), None)
        if product is None or not _is_of_keys(product, context):
            return
        found = [_product_with_values(use, context) for use in uses(node, context)]
        if len(found) == 1 and found[0] is not None:
            because = [("scores of queries and keys", product), ("their softmax", node)]
            context.report(self, found[0], because=because, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(length: int = 256) -> Evidence:
        import mlx.core as mx

        keys = mx.random.split(mx.random.key(0), 3)
        q, k, v = (mx.random.normal((1, 4, length, 64), key=key).astype(mx.float16) for key in keys)
        return accuracy_gain(
            lambda q, k, v: mx.softmax((q @ k.swapaxes(-1, -2)) * 0.125, axis=-1) @ v,
            lambda q, k, v: mx.fast.scaled_dot_product_attention(q, k, v, scale=0.125),
            q,
            k,
            v,
        )


def _is_of_keys(product: cst.BaseExpression, context: Context) -> bool:
    """Whether the right factor of a product is transposed, as keys are, and none of the two is known to be a matrix."""
    if operation(product, context) == "einsum":
        return len(product.args) == 3 if isinstance(product, cst.Call) else False
    factors = _factors(product)
    ranks = [array.rank for array in map(context.array, factors) if array is not None]
    if len(factors) != 2 or any(rank is not None and rank < 3 for rank in ranks):
        return False
    right = origin(factors[1], context)
    is_turned = isinstance(right, cst.Attribute) and right.attr.value in ("T", "mT")
    return is_turned or operation(right, context) in _TURNING


def _factors(product: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(product, cst.BinaryOperation):
        return [product.left, product.right]
    return [arg.value for arg in product.args] if isinstance(product, cst.Call) else []


def _product_with_values(weights: cst.BaseExpression, context: Context) -> cst.BaseExpression | None:
    """The matrix product whose left factor are the weights, perhaps cast to another dtype."""
    node: cst.CSTNode | None = weights
    parent = context.parent(weights)
    while isinstance(parent, (cst.Attribute, cst.Call, cst.Arg)) and not is_product(parent, context):
        if isinstance(parent, cst.Call) and operation(parent, context) != "astype":
            return None
        node, parent = parent, context.parent(parent)
    is_left = isinstance(parent, cst.BinaryOperation) and parent.left is node
    is_given = isinstance(parent, cst.Call) and any(arg is node for arg in parent.args[:2])
    return parent if is_product(parent, context) and (is_left or is_given) else None  # type: ignore[return-value]
