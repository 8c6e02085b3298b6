from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, differs, raises, shown

_ATTENTION = "mlx.core.fast.scaled_dot_product_attention"
_HALF = frozenset({"float16", "bfloat16"})
_INTEGERS = frozenset({"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
_OPERANDS = ((0, "q"), (1, "k"), (2, "v"))


class AttentionOperands(Rule):
    """What `mx.fast.scaled_dot_product_attention` is given has another rank or dtype than it reads

    ## What it does
    Finds queries, keys or values of other than four axes, masks of integers, and `float32` masks beside queries in
    half precision.

    ## PyTorch and MLX
    PyTorch's function takes any leading axes and refuses integer masks. MLX's takes (batch, heads, length, features)
    and raises for others. A mask that is not boolean is added to the scores: a tokenizer's mask of 0 and 1 hides
    nothing. An additive mask must not be wider than queries and keys: `float32` beside half precision raises.

    ## Example
    ```python
    import mlx.core as mx

    q = mx.zeros((1, 8, 4, 64))
    mask = mx.array([[1, 1, 1, 0]])
    y = mx.fast.scaled_dot_product_attention(q, q, q, scale=0.125, mask=mask)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    q = mx.zeros((1, 8, 4, 64))
    mask = mx.array([[1, 1, 1, 0]])
    y = mx.fast.scaled_dot_product_attention(q, q, q, scale=0.125, mask=mask.astype(mx.bool_))
    ```

    ## Fix safety
    The fix casts the mask. It is unsafe for integers: numbers to be added may be meant.

    ## References
    - [scaled_dot_product_attention](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.fast.scaled_dot_product_attention.html)
    """

    code = "MLX803"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"scaled_dot_product_attention"})
    yields_to = ("ones-as-mask",)
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != _ATTENTION:
            return
        for place, name in _OPERANDS:
            given = context.argument(node, place, name)
            rank = getattr(context.array(given), "rank", None)
            if given is not None and rank is not None and rank != 4:
                problem = f"attention takes arrays of four axes, and `{context.brief(given)}` has {rank}"
                context.report(self, given, because=[given], problem=problem, repro={"case": "rank"})
                return
        mask = context.argument(node, None, "mask")
        if mask is not None:
            self._check_mask(node, mask, context)

    def _check_mask(self, node: cst.Call, mask: cst.BaseExpression, context: Context) -> None:
        found, query = context.array(mask), context.array(context.argument(node, 0, "q"))
        mx = context.alias("mlx.core")
        told = any(r.rule.name == "ones-as-mask" and any(at is mask for _, at in r.reasons) for r in context.reports)
        if found is None or told:  # where it was made
            return
        if found.dtype in _INTEGERS:
            edits = [Insert(mask, f".astype({mx}.bool_)", after=True)]
            fix = NodeFix("Make it boolean", edits, Applicability.UNSAFE) if mx is not None and _is_atom(mask) else None
            problem = f"a mask of {found.dtype} is added to the scores, and hides nothing: make it boolean"
            context.report(self, mask, because=[mask], problem=problem, fix=fix, repro={"case": "integers"})
        elif found.dtype == "float32" and query is not None and query.dtype in _HALF:
            edits = [Insert(mask, f".astype({mx}.{query.dtype})", after=True)]
            fix = NodeFix("Cast it", edits, Applicability.UNSAFE) if mx is not None and _is_atom(mask) else None
            problem = f"a float32 mask cannot be added to scores of {query.dtype}"
            context.report(self, mask, because=[mask], problem=problem, fix=fix, repro={"case": "float32"})

    @staticmethod
    def repro(case: Literal["rank", "integers", "float32"] = "integers") -> Evidence:
        import mlx.core as mx

        attention = mx.fast.scaled_dot_product_attention
        q, k, v = (mx.random.normal((1, 2, 4, 8), key=mx.random.key(n)) for n in range(3))
        if case == "rank":
            hazard = raises(lambda: attention(q[0], k[0], v[0], scale=0.3), ValueError, text="rank 4")
            shape = attention(q, k, v, scale=0.3).shape
            return Evidence(hazard, shown(shape == (1, 2, 4, 8), f"with four axes: {shape}"))
        if case == "float32":
            q, k, v = (x.astype(mx.float16) for x in (q, k, v))
            mask = mx.zeros((4, 4))
            hazard = raises(lambda: attention(q, k, v, scale=0.3, mask=mask), ValueError, text="promote")
            dtype = attention(q, k, v, scale=0.3, mask=mask.astype(q.dtype)).dtype
            return Evidence(hazard, shown(dtype == mx.float16, f"with a mask of float16: {dtype}"))
        mask = mx.array([[1, 1, 0, 0]] * 4)
        hidden = attention(q, k[:, :, :2], v[:, :, :2], scale=0.3)
        hazard = differs(attention(q, k, v, scale=0.3, mask=mask)[0, 0, 0], hidden[0, 0, 0])
        boolean = attention(q, k, v, scale=0.3, mask=mask.astype(mx.bool_))
        distance = mx.abs(boolean - hidden).max().item()
        return Evidence(hazard, shown(distance < 1e-4, f"a boolean mask hides the last two keys, to {distance:.0e}"))


def _is_atom(node: cst.BaseExpression) -> bool:
    return isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript))
