from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import CERTAIN, LIKELY
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._modules import is_module


class WeightTyingByAssignment(Rule):
    """One layer's weight is assigned to another layer, which does not tie them

    ## What it does
    Finds `a.weight = b.weight` between two layers of one model.

    ## PyTorch and MLX
    In PyTorch both layers then hold the same `nn.Parameter`, and stay equal. An MLX array is a value: both names refer
    to it until the first update, which gives each layer a new array of its own. From then on the weights drift apart,
    and checkpoints hold, and ask for, both. Nothing raises. Use the one layer in both places: `embedding.as_linear(x)`.

    ## Example
    ```python
    import mlx.nn as nn


    class Model(nn.Module):
        def __init__(self, vocab, dims):
            super().__init__()
            self.embed = nn.Embedding(vocab, dims)
            self.head = nn.Linear(dims, vocab, bias=False)
            self.head.weight = self.embed.weight

        def __call__(self, tokens):
            return self.head(self.embed(tokens))
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Model(nn.Module):
        def __init__(self, vocab, dims):
            super().__init__()
            self.embed = nn.Embedding(vocab, dims)

        def __call__(self, tokens):
            return self.embed.as_linear(self.embed(tokens))
    ```

    ## References
    - [Embedding](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Embedding.html)
    """

    code = "MLX306"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{target}` and `{source}` share an array only until the first update: assignment does not tie weights"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target, source = node.targets[0].target, node.value
        if not (
            isinstance(target, cst.Attribute) and isinstance(source, cst.Attribute) and target.attr.value == "weight"
        ):
            return
        left, right = tree.dotted(target), tree.dotted(source)
        if left is None or right is None or left == right or source.attr.value != "weight":
            return
        if left.partition(".")[0] != right.partition(".")[0] or not (left.count(".") >= 2 and right.count(".") >= 2):
            return
        if is_module(context.value(target.value)) and is_module(context.value(source.value)):
            surety = CERTAIN if _ties(node, context) else LIKELY
            context.report(self, node, because=[source], confidence=surety, target=left, source=right)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Module()
        model.embed, model.head = nn.Embedding(4, 2), nn.Linear(2, 4, bias=False)
        model.head.weight = model.embed.weight
        loss = nn.value_and_grad(model, lambda x: model.head(model.embed(x)).square().sum())
        optim.SGD(0.1).update(model, loss(mx.array([0, 1]))[1])
        apart = not mx.array_equal(model.head.weight, model.embed.weight).item()
        shared = nn.Embedding(4, 2)
        same = mx.array_equal(shared.as_linear(mx.eye(2)), shared.weight.T).item()
        return Evidence(
            shown(apart, "after one update the weights differ"), shown(bool(same), "as_linear uses the same weight")
        )


def _ties(node: cst.Assign, context: Context) -> bool | None:
    """Whether the assignment stands where models are put together."""
    function = context.enclosing_function(node)
    return function is None or function.name == "__init__" or "tie" in function.name
