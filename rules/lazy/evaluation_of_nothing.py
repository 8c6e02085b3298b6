from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const, Function, Instance, Name, Partial, Scalar, Sequence, Tree, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Replace, Rule, Severity, shown

from ..training._gradients import is_module
from ..training._optimizers import as_optimizer
from ..training._step import EVAL
from ._graph import graph_size

VIEWS = frozenset({"builtins.dict.values", "builtins.dict.items", "builtins.dict.keys"})
METHODS = (".parameters", ".trainable_parameters")
ITERATORS = frozenset(f"builtins.{name}" for name in ("map", "filter", "zip", "reversed", "iter", "enumerate"))


class EvaluationOfNothing(Rule):
    """`mx.eval` is given something it does not look into

    ## What it does
    Finds arguments of `mx.eval` and `mx.async_eval` that hold no arrays for them: an optimizer, a method without
    its parentheses, a generator, `map` or `zip`, the views of a dict, the keys of `*model.parameters()`, an object
    of a class of the project, and calls without any argument.

    ## PyTorch and MLX
    `mx.eval` walks through lists, tuples and dicts, modules among them, and silently passes over everything else.
    The arrays stay lazy, and the graph keeps growing.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    mx.eval(model.parameters(), optimizer)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    mx.eval(model.parameters(), optimizer.state)
    ```

    ## Fix safety
    The fix names what holds the arrays: `optimizer.state`, `model.parameters()`, a list. It changes no result and
    is safe.

    ## References
    - [mx.eval](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.eval.html)
    """

    code = "MLX505"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"eval", "async_eval"})
    message = "`{function}` evaluates nothing here: `{given}` is {what}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in EVAL:
            return
        function = f"mx.{callee.rpartition('.')[2]}"
        if not node.args:
            context.report(self, node, template="`{function}()` without arguments evaluates nothing", function=function)
        for arg in node.args:
            found = (
                _starred(arg, context)
                if arg.star == "*"
                else _plain(arg.value, context)
                if not arg.star and not arg.keyword
                else None
            )
            if found is not None:
                what, fix = found
                context.report(
                    self,
                    arg.value,
                    because=[arg.value],
                    function=function,
                    given=context.brief(arg.value),
                    what=what,
                    fix=fix,
                )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
        optimizer.update(model, {"bias": model.bias + 1})
        mx.eval(optimizer, model.parameters)
        lazy = graph_size(model.bias)
        mx.eval(optimizer.state, model.parameters())
        return Evidence(
            shown(lazy > 1, f"the bias still hangs on a graph of {lazy} edges"),
            shown(graph_size(model.bias) < 2, "it is evaluated"),
        )


Found = tuple[str, NodeFix | None] | None
_KINDS = {"generator": "an iterator", "iterator": "an iterator", "set": "a set"}


def _plain(node: cst.BaseExpression, context: Context) -> Found:
    value = context.value(node)
    if as_optimizer(value) is not None:
        return "an optimizer, whose arrays are in its `state`", _added(node, ".state", context)
    if (
        isinstance(value, Name)
        and value.receiver is not None
        and value.name.endswith(METHODS)
        and is_module(value.receiver)
    ):
        return "a method that is not called", _added(node, "()", context)
    if (isinstance(value, Function) and isinstance(node, (cst.Attribute, cst.Name))) or isinstance(value, Partial):
        return "a function", None
    if isinstance(node, cst.GeneratorExp) or (isinstance(node, cst.Call) and context.callee(node) in ITERATORS):
        return "an iterator, which is not looked into", _listed(node, context)
    if isinstance(value, Sequence) and value.kind in ("generator", "iterator", "set"):
        return f"{_KINDS[value.kind]}, which is not looked into", None
    if (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Attribute)
        and node.func.attr.value in ("values", "items", "keys")
    ):
        if context.callee(node) in VIEWS or isinstance(context.value(node.func.value), Tree):
            return "a view of a dict, which is not looked into", _listed(node, context)
    return _object(value)


def _object(value: Value) -> Found:
    if isinstance(value, (Const, Scalar)) and not (isinstance(value, Const) and value.value is None):
        return "no array", None
    if isinstance(value, Instance) and value.code is not None and not is_module(value):
        _, outside = value.code.ancestry()
        if not outside or set(outside) <= {"builtins.object", "abc.ABC"}:
            return f"an object of `{value.code.name}`, which is not looked into", None
    return None


def _starred(arg: cst.Arg, context: Context) -> Found:
    value = context.value(arg.value)
    if (
        isinstance(value, Tree)
        and isinstance(arg.value, cst.Call)
        and arg.value.func
        and not isinstance(arg.value.func, cst.Name)
    ):
        name = getattr(getattr(arg.value.func, "attr", None), "value", "")
        if name in ("parameters", "trainable_parameters"):
            return "a dict, and `*` unpacks its keys", None
    return None


def _added(node: cst.BaseExpression, text: str, context: Context) -> NodeFix:
    return NodeFix(f"Write `{context.brief(node)}{text}`", [Insert(node, text, after=True)], Applicability.SAFE)


def _listed(node: cst.BaseExpression, context: Context) -> NodeFix:
    text = context.text(node)
    inner = text[1:-1].strip() if isinstance(node, cst.GeneratorExp) and text.startswith("(") else text
    return NodeFix(
        "Make it a list",
        [Replace(node, f"[{inner}]" if isinstance(node, cst.GeneratorExp) else f"list({inner})")],
        Applicability.SAFE,
    )
