from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, differs, shown

from ._layouts import operand

_ROPES = frozenset({"mlx.nn.RoPE.__call__", "mlx.core.fast.rope"})


class RopeBeforeTranspose(Rule):
    """RoPE is applied before the heads are moved, and turns by the head instead of the position

    ## What it does
    Finds `nn.RoPE` and `mx.fast.rope` of an array that was just reshaped from (batch, time, features) to (batch, time,
    heads, features).

    ## PyTorch and MLX
    Ports of rotary embeddings often work on (batch, time, heads, features). MLX's take the positions from the axis
    before the last, which is the heads there: move the heads first, to (batch, heads, time, features).

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    rope, x = nn.RoPE(8), mx.zeros((1, 5, 16))
    B, L, D = x.shape
    q = rope(x.reshape(B, L, 2, 8)).transpose(0, 2, 1, 3)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    rope, x = nn.RoPE(8), mx.zeros((1, 5, 16))
    B, L, D = x.shape
    q = rope(x.reshape(B, L, 2, 8).transpose(0, 2, 1, 3))
    ```

    ## References
    - [RoPE](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.RoPE.html)
    """

    code = "MLX370"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"__call__", "rope"})
    message = "the positions are axis -2, and axis -2 of `{input}` is the heads: transpose it first"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _ROPES:
            return
        given = context.argument(node, 0, "x", "a")
        array = context.array(given)
        if given is not None and array is not None and _has_heads_third(array, context):
            context.report(self, node, because=[given], confidence=LIKELY, input=context.brief(given))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        rope, x = nn.RoPE(4), mx.random.normal((1, 3, 8))
        heads = x.reshape(1, 3, 2, 4)
        right = rope(heads.transpose(0, 2, 1, 3))
        return Evidence(
            differs(rope(heads).transpose(0, 2, 1, 3), right), shown(right.shape == (1, 2, 3, 4), "heads moved first")
        )


def _has_heads_third(array: Array, context: Context) -> bool:
    """Whether an array is ``x.reshape(B, L, heads, -1)`` of ``x`` with shape (B, L, features)."""
    node = array.node
    if not isinstance(node, cst.Call) or (array.op or "").rpartition(".")[2] not in ("reshape", "unflatten"):
        return False
    source = context.array(operand(node, context))
    before, after = (None if source is None else source.shape), array.shape
    if before is None or after is None or len(before) != 3 or len(after) != 4 or after[1] is None:
        return False
    return before[1] == after[1] and after[1] != 1
