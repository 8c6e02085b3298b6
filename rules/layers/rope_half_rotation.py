from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._shared import with_keyword

# How code speaks of rotating neighbouring features: Meta's names, and the ways PyTorch code writes it.
_INTERLEAVED = re.compile(
    r"\bwq\b.*\bwk\b|freqs_cis|view_as_complex|rotate_every_two|interleaved|gpt-?j|apply_rotary_emb|consolidated\.\d\d\.pth",
    re.IGNORECASE | re.DOTALL,
)
_LOADED = re.compile(r"load_weights|mx\.load|from_pretrained|torch|convert|checkpoint|consolidated|meta", re.IGNORECASE)


class RopeHalfRotation(Rule):
    """`nn.RoPE` pairs the halves of a head, where the ported model pairs neighbours

    ## What it does
    Finds `nn.RoPE(dims)` without `traditional=True` in files that name their weights as Meta's checkpoints do (`wq`,
    `wk`), or speak of interleaved rotation.

    ## PyTorch and MLX
    Meta's Llama code, GPT-J and the original paper rotate neighbouring features (0, 1), (2, 3), …. Transformers
    permutes the weights on conversion, and rotates the halves: feature `i` with `i + dims / 2`. `nn.RoPE` does the
    latter unless `traditional=True`. With the wrong one the model runs, and talks nonsense.

    ## Example
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.wq = nn.Linear(dims, dims, bias=False)
            self.wk = nn.Linear(dims, dims, bias=False)
            self.rope = nn.RoPE(dims)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.wq = nn.Linear(dims, dims, bias=False)
            self.wk = nn.Linear(dims, dims, bias=False)
            self.rope = nn.RoPE(dims, traditional=True)
    ```

    ## Fix safety
    The fix adds `traditional=True`. It is unsafe: weights that were permuted for Transformers want the default.

    ## References
    - [RoPE](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.RoPE.html)
    """

    code = "MLX353"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    calls = frozenset({"RoPE"})
    message = (
        "`nn.RoPE` pairs halves of a head without `traditional=True`; this code follows a model that pairs neighbours"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.nn.RoPE" or context.arguments(node).starred or not node.args:
            return
        stated = context.argument(node, 1, "traditional")
        if stated is not None and constant(context.value(stated), bool) is not False:
            return
        if stated is not None and _LOADED.search(context.module.text) is None:
            return  # it is stated, and no weights come from elsewhere
        if not context.shared(_mentions_pairs, context.tree):
            return
        around = context.enclosing_class(node)
        if around is None or context.shared(_mentions_pairs, around.node):
            fix = NodeFix(
                "Add `traditional=True`",
                [with_keyword(node, "traditional=True", context)],
                Applicability.UNSAFE,
            )
            context.report(self, node, confidence=LIKELY, fix=fix if stated is None else None)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.array([[[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]])
        pairs = x.reshape(1, 2, 2, 2)
        angle = mx.arange(2.0)[:, None] * mx.array([1.0, 0.01])
        cos, sin = mx.cos(angle), mx.sin(angle)
        expected = mx.stack(
            [pairs[..., 0] * cos - pairs[..., 1] * sin, pairs[..., 0] * sin + pairs[..., 1] * cos], axis=-1
        ).reshape(1, 2, 4)
        return Evidence(differs(nn.RoPE(4)(x), expected), agrees(nn.RoPE(4, traditional=True)(x), expected, 1e-3))


def _mentions_pairs(node: cst.CSTNode, context: Context) -> bool:
    text = context.module.text if node is context.tree else context.text(node)
    return _INTERLEAVED.search(text) is not None
