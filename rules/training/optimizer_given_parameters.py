from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Sequence, Tree, Value, as_array, members
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, Span, raises, shown

from ._gradients import is_module
from ._optimizers import constructor


class OptimizerGivenParameters(Rule):
    """An optimizer is given the parameters instead of a learning rate

    ## What it does
    Finds optimizers of `mlx.optimizers` whose first argument is `model.parameters()`, a model, a list of arrays or
    a list of parameter groups.

    ## PyTorch and MLX
    PyTorch's optimizers take the parameters first. MLX's take the learning rate first and get the model in
    `update`. A tree of parameters in its place raises `ValueError` or `TypeError`; a list of equal-shaped arrays is
    even accepted as the learning rate. For groups there is `optim.MultiOptimizer`.

    ## Example
    ```python
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), 0.1)
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(learning_rate=0.1)
    ```

    ## Fix safety
    The fix takes the parameters away and, where needed, turns `lr` into `learning_rate`. It is unsafe where the
    learning rate is given by position.

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX203"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`optim.{optimizer}` takes the learning rate first, not {what}: `update` is given the model"
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        name = constructor(node, context)
        if name is None or name == "MultiOptimizer":
            return
        given = context.arguments(node).get(0, "params")
        what = None if given is None else _parameters(context.value(given.value))
        if given is None or what is None:
            return
        context.report(self, node, because=[given.value], optimizer=name, what=what, fix=_fix(node, given, context))

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(2, 1)
        hazard = raises(lambda: optim.SGD(model.parameters(), 0.1), ValueError, TypeError)
        return Evidence(
            hazard, shown(abs(optim.SGD(0.1).learning_rate.item() - 0.1) < 1e-6, "optim.SGD(0.1) has that rate")
        )


def _parameters(value: Value) -> str | None:
    if all(isinstance(m, Tree) and m.kind == "parameters" for m in members(value)):
        return "the parameters"
    if is_module(value):
        return "a model"
    if not isinstance(value, Sequence):
        return None
    element = value.joined()
    if as_array(element) is not None and (value.items is None or len(value.items) > 0):
        return "a list of arrays"
    if value.items and all(isinstance(item, Dict) and "params" in item.items for item in value.items):
        return "parameter groups"
    return None


def _fix(node: cst.Call, given: cst.Arg, context: Context) -> NodeFix | None:
    """Takes the parameters away, so that the rate comes first; nothing where the groups' options would be lost."""
    arguments = context.arguments(node)
    named = {"lr", "learning_rate"} & set(arguments.keywords)
    if (
        arguments.starred
        or given.keyword is not None
        or not (named or len(arguments.positional) == 2)
        or _has_groups(given, context)
    ):
        return None
    following = node.args[node.args.index(given) + 1]
    edits: list[Span | Replace] = [Span(given, following, "", before=True)]
    rate = arguments.keywords.get("lr")
    if rate is not None and rate.keyword is not None:
        edits.append(Replace(rate.keyword, "learning_rate"))
    return NodeFix("Give the learning rate only", edits, Applicability.SAFE if named else Applicability.UNSAFE)


def _has_groups(given: cst.Arg, context: Context) -> bool:
    value = context.value(given.value)
    return isinstance(value, Sequence) and as_array(value.joined()) is None
