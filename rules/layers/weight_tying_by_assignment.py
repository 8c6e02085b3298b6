from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import CERTAIN, LIKELY, constant
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeEdit,
    NodeFix,
    RemoveStatement,
    Replace,
    Rule,
    Severity,
    shown,
)

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

    ## Fix safety
    Where an embedding's weight is shared with a linear layer without bias that the class only calls, the embedding
    takes its place and the layer goes. It is unsafe: a checkpoint may hold the layer's weight.

    ## References
    - [Embedding](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Embedding.html)
    """

    code = "MLX306"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
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
            fix = _fix(node, {left.rpartition(".")[0], right.rpartition(".")[0]}, context)
            context.report(self, node, because=[source], confidence=surety, target=left, source=right, fix=fix)

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


def _fix(tie: cst.Assign, layers: set[str], context: Context) -> NodeFix | None:
    """Let the embedding do the linear layer's work, where all that the class does with that layer is to call it."""
    around = context.enclosing(tie, cst.ClassDef, within_function=False)
    if around is None:
        return None
    made = {path: assign for assign in _assignments(around, context) if (path := _target(assign)) in layers}
    kinds = {context.callee(assign.value): path for path, assign in made.items() if isinstance(assign.value, cst.Call)}
    if kinds.keys() != {"mlx.nn.Embedding", "mlx.nn.Linear"}:
        return None
    embedding, linear = kinds["mlx.nn.Embedding"], kinds["mlx.nn.Linear"]
    definition = made[linear]
    if not isinstance(definition.value, cst.Call) or not _has_no_bias(definition.value, context):
        return None
    edits: list[NodeEdit] = [RemoveStatement(definition), RemoveStatement(tie)]
    for use in _uses(linear, around, context):
        if any(ancestor in (definition, tie) for ancestor in context.ancestors(use)):
            continue
        call = context.parent(use)
        if tree.dotted(use) != linear or not isinstance(call, cst.Call) or call.func is not use or len(call.args) != 1:
            return None
        edits.append(Replace(use, f"{embedding}.as_linear"))
    return NodeFix(f"Use `{embedding}.as_linear`", edits, Applicability.UNSAFE)


def _assignments(around: cst.ClassDef, context: Context) -> Iterator[cst.Assign]:
    return (node for node in context.walk(around.body, into_functions=True) if isinstance(node, cst.Assign))


def _target(assign: cst.Assign) -> str | None:
    return tree.dotted(assign.targets[0].target)


def _has_no_bias(layer: cst.Call, context: Context) -> bool:
    bias = ArgumentNodes(layer).get(2, "bias")
    return bias is not None and constant(context.value(bias.value), bool) is False


def _uses(path: str, around: cst.ClassDef, context: Context) -> Iterator[cst.Attribute]:
    """Where a path stands in a class, and what may be the same attribute elsewhere in the file."""
    for node in context.walk(context.tree, into_functions=True):
        if isinstance(node, cst.Attribute) and node.attr.value == path.rpartition(".")[2]:
            if tree.dotted(node) != path or around in context.ancestors(node):
                yield node
