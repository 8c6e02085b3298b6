from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

_SPEAKS = re.compile(r"\bpadding_idx\b")
_OTHERS = re.compile(r"pos|segment|token_type|time|class|label", re.IGNORECASE)  # in names of what is not padded
_ZEROED = re.compile(r"\.weight\[[^\]]*\]\s*=|ids\s*!=|!=\s*(?:self\.)?\w*pad", re.IGNORECASE)


class EmbeddingPaddingRow(Rule):
    """An embedding that had a padding index in PyTorch has a row like any other for it

    ## What it does
    Finds `nn.Embedding` in classes that speak of `padding_idx`, in files that neither write to a row of its weight nor
    compare indices with a padding index: a warning where the very line speaks of it, else a note. Tables of positions
    and the like are left alone.

    ## PyTorch and MLX
    With `padding_idx` PyTorch's row is zero and is never trained. MLX has no such argument: padding has a random
    vector, which counts in sums and means and is trained. Multiply the result by a mask.

    ## Example
    ```python
    import mlx.nn as nn


    class Words(nn.Module):
        def __init__(self, words, dims):
            super().__init__()
            self.embed = nn.Embedding(words, dims)  # was: padding_idx=0

        def __call__(self, indices):
            return self.embed(indices).sum(axis=1)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Words(nn.Module):
        def __init__(self, words, dims, pad=0):
            super().__init__()
            self.embed, self.pad = nn.Embedding(words, dims), pad  # was: padding_idx=pad

        def __call__(self, indices):
            return (self.embed(indices) * (indices != self.pad)[..., None]).sum(axis=1)
    ```

    ## References
    - [Embedding](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Embedding.html)
    """

    code = "MLX394"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"Embedding"})
    message = "the file speaks of `padding_idx`, and `nn.Embedding` trains the row of padding like any other"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        text = context.module.text
        if context.callee(node) != "mlx.nn.Embedding" or not _SPEAKS.search(text) or _ZEROED.search(text):
            return
        statement = context.text(context.statement(node))
        owner = context.enclosing_class(node)
        assignment = context.enclosing(node, cst.Assign)
        name = "" if assignment is None else dotted(assignment.targets[0].target) or ""
        if _OTHERS.search(name) or (owner is not None and not _SPEAKS.search(context.text(owner.node))):
            return
        if "padding_idx" not in context.arguments(node).keywords and not context.arguments(node).starred:
            severity = Severity.WARNING if _SPEAKS.search(statement) else Severity.INFO
            context.report(self, node, confidence=LIKELY, severity=severity)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        embed, ids = nn.Embedding(4, 2), mx.array([[1, 0, 0]])
        masked = embed(ids) * (ids != 0)[..., None]
        return Evidence(
            shown(mx.any(embed(ids)[0, 1] != 0).item(), f"row of padding: {embed(ids)[0, 1].tolist()}"),
            shown(not mx.any(masked[0, 1]).item(), "masked, it is zero"),
        )
