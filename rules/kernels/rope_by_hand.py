from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity

from .._operations import bare
from ._flow import operation, origin
from ._measure import accuracy_gain

_JOINING = frozenset({"concatenate", "concat", "stack"})


class RopeByHand(Rule):
    """A rotary embedding is written out, where MLX has it in one function

    ## What it does
    Finds rotations of two halves, or of neighbours, of an array that are joined again: `[a * c - b * s, a * s + b *
    c]`, and `x * c + rotated * s` with `rotated` joined of `-b` and `a`, whatever the parts are called. The sines have
    to be computed in the function: tables that are given may be of any positions, an image's too. It is advice.

    ## PyTorch and MLX
    `transformers` writes `rotate_half` out. `mx.fast.rope` and `nn.RoPE` are one kernel on a GPU instead of a dozen,
    and compute the angles in `float32`: in half precision angles of long texts are off by whole turns.
    `traditional=True` rotates neighbours, `False` halves; `offset` is the position of the first token.

    ## Example
    ```python
    import mlx.core as mx


    def rotated(x, rates):
        angles = mx.arange(x.shape[-2])[:, None] * rates
        cos, sin = mx.cos(angles), mx.sin(angles)
        a, b = mx.split(x, 2, axis=-1)
        return mx.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def rotated(x):
        return mx.fast.rope(x, 64, traditional=False, base=10000.0, scale=1.0, offset=0)
    ```

    ## References
    - [rope](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.rope.html)
    """

    code = "MLX853"
    kind = Kind.COST
    severity = Severity.INFO
    calls = _JOINING
    message = "this is a rotary embedding: where positions count up by one, `mx.fast.rope` computes it in one step"
    operators = frozenset({cst.Add})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        parts = _joined(node, context)
        if parts is not None and _is_rotation(*parts, context) and _takes_sines(node, context):
            context.report(self, node, confidence=Confidence.LIKELY)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        left, right = _factors(node.left, context), _factors(node.right, context)
        if left is None or right is None:
            return
        for plain, turned in ((left, right), (right, left)):
            halves = [h for side in turned if (h := _turned_halves(side, context)) is not None]
            if halves and any(_is_whole_of(side, halves[0], turned, context) for side in plain):
                if _takes_sines(node, context):
                    context.report(self, node, confidence=Confidence.LIKELY)
                return

    @staticmethod
    def repro(length: int = 256) -> Evidence:
        import mlx.core as mx

        def by_hand(x: mx.array) -> mx.array:
            half = x.shape[-1] // 2
            rates = (10000.0 ** (-mx.arange(half) / half)).astype(x.dtype)
            angles = mx.arange(x.shape[-2]).astype(x.dtype)[:, None] * rates
            cos, sin, a, b = mx.cos(angles), mx.sin(angles), x[..., :half], x[..., half:]
            return mx.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)

        x = mx.random.normal((1, 4, length, 64), key=mx.random.key(0)).astype(mx.float16)
        return accuracy_gain(
            by_hand, lambda x: mx.fast.rope(x, 64, traditional=False, base=10000.0, scale=1.0, offset=0), x
        )


def _takes_sines(node: cst.CSTNode, context: Context) -> bool:
    """Whether the function around a rotation, or the module, computes sines itself."""
    scope = context.enclosing(node, cst.FunctionDef) or context.tree
    return any(operation(call, context) == "sin" for call in context.nodes(scope, cst.Call))


def _joined(node: cst.BaseExpression, context: Context) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """The two arrays that a call joins; None when it does something else."""
    if not isinstance(node, cst.Call) or operation(node, context) not in _JOINING or not node.args:
        return None
    listed = node.args[0].value
    elements = listed.elements if isinstance(listed, (cst.List, cst.Tuple)) else ()
    return (elements[0].value, elements[1].value) if len(elements) == 2 else None


def _is_rotation(first: cst.BaseExpression, second: cst.BaseExpression, context: Context) -> bool:
    """Whether two arrays are `a * c - b * s` and `a * s + b * c`."""
    minus, plus = origin(first, context), origin(second, context)
    if not isinstance(minus, cst.BinaryOperation) or not isinstance(plus, cst.BinaryOperation):
        return False
    if not isinstance(minus.operator, cst.Subtract) or not isinstance(plus.operator, cst.Add):
        return False
    products = [_factors(side, context) for side in (minus.left, minus.right, plus.left, plus.right)]
    if any(product is None for product in products):
        return False
    ac, bs, *others = [frozenset(bare(side, context) for side in product) for product in products if product]
    return (
        any(
            len(ac & one) == 1 and len(bs & one) == 1 and len(ac & two) == 1 and len(bs & two) == 1 and not one & two
            for one, two in (others, others[::-1])
        )
        and not ac & bs
    )


def _factors(node: cst.BaseExpression, context: Context) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    made = origin(node, context)
    is_product = isinstance(made, cst.BinaryOperation) and isinstance(made.operator, cst.Multiply)
    return (made.left, made.right) if is_product and isinstance(made, cst.BinaryOperation) else None


def _turned_halves(node: cst.BaseExpression, context: Context) -> tuple[cst.BaseExpression, cst.BaseExpression] | None:
    """`a` and `b` of an array that is joined of `-b` and `a`."""
    parts = _joined(origin(node, context), context)
    if parts is None:
        return None
    first = origin(parts[0], context)
    negative = isinstance(first, cst.UnaryOperation) and isinstance(first.operator, cst.Minus)
    return (parts[1], first.expression) if negative and isinstance(first, cst.UnaryOperation) else None


def _is_whole_of(
    node: cst.BaseExpression,
    halves: tuple[cst.BaseExpression, cst.BaseExpression],
    turned: tuple[cst.BaseExpression, cst.BaseExpression],
    context: Context,
) -> bool:
    """Whether halves were cut from what an expression stands for, or a helper was given it."""
    given = {bare(arg.value, context) for side in turned if isinstance(side, cst.Call) for arg in side.args}
    cut = origin(halves[0], context)
    whole = cut.value if isinstance(cut, cst.Subscript) else None
    if isinstance(cut, cst.Call) and operation(cut, context) == "split" and cut.args:
        whole = cut.args[0].value
    return bare(node, context) in given or (whole is not None and bare(node, context) == bare(whole, context))
