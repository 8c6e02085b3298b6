from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Function, Name
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    differs,
)

from ..training._gradients import is_gradients
from ._ring import answers

_SIZE = re.compile(r"(^|_)(world_)?size$|^n_?(ranks|procs|workers)$|^num_(ranks|processes|workers)$")
_MAPS = frozenset({"mlx.utils.tree_map"})
_SUM = "mlx.core.distributed.all_sum"
_GRADIENTS = re.compile(r"(^|[._])(grads?|gradients?)$")


class SummedGradients(Rule):
    """The gradients of several processes are summed, where data parallel training averages them

    ## What it does
    Finds `tree_map` of `mx.distributed.all_sum` over gradients in functions that never ask for the number of
    processes.

    ## PyTorch and MLX
    `DistributedDataParallel` averages gradients. `all_sum` adds them: with eight processes steps are eight times as
    long, the same as a learning rate eight times as high. `nn.average_gradients` averages, and sends small gradients
    together.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_map

    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).mean())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    gradients = tree_map(mx.distributed.all_sum, gradients)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    mx.random.seed(0)
    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).mean())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    gradients = nn.average_gradients(gradients)
    ```

    ## Fix safety
    Unsafe: the loss may have been divided by the number of processes elsewhere.

    ## References
    - [average_gradients](https://ml-explore.github.io/mlx/build/html/python/nn/distributed.html)
    """

    code = "MLX608"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"tree_map"})
    message = "the gradients of all processes are added: `nn.average_gradients` averages them"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _MAPS or len(node.args) != 2 or any(arg.star for arg in node.args):
            return
        function, gradients = (arg.value for arg in node.args)
        if not _sums(function, context) or not _are_gradients(gradients, context) or _asks_size(node, context):
            return
        nn = context.alias("mlx.nn")
        text = f"{nn}.average_gradients({context.text(gradients)})"
        fix = NodeFix("Average them", [Replace(node, text)], Applicability.UNSAFE) if nn is not None else None
        context.report(self, node, because=[gradients], fix=fix, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        script = "gradients = {{'w': mx.array([1.0 + group.rank()])}}\n{}\nprint(gradients['w'].tolist())"
        summed = "from mlx.utils import tree_map\ngradients = tree_map(mx.distributed.all_sum, gradients)"
        averaged = "import mlx.nn as nn\ngradients = nn.average_gradients(gradients)"
        hazard = differs(answers(script.format(summed)), [[1.5], [1.5]], what="in two processes")
        return Evidence(hazard, agrees(answers(script.format(averaged)), [[1.5], [1.5]]))


def _are_gradients(node: cst.BaseExpression, context: Context) -> bool:
    """Whether an expression is a tree of gradients, or is called so where nothing is known of it."""
    value = context.value(node)
    return is_gradients(value) or (value is UNKNOWN and bool(_GRADIENTS.search(dotted(node) or "")))


def _sums(function: cst.BaseExpression, context: Context) -> bool:
    """Whether a function does nothing but sum over all processes."""
    value = context.value(function)
    if isinstance(value, Name):
        return value.name == _SUM
    body = value.code.node.body if isinstance(value, Function) and isinstance(value.code.node, cst.Lambda) else None
    return isinstance(body, cst.Call) and context.callee(body) == _SUM


def _asks_size(node: cst.Call, context: Context) -> bool:
    """Whether the function around a call reads something that is named for the number of processes."""
    code = context.enclosing_function(node)
    for part in context.walk(context.tree if code is None else code.node.body, into_functions=code is not None):
        name = part.attr.value if isinstance(part, cst.Attribute) else getattr(part, "value", None)
        if isinstance(part, (cst.Attribute, cst.Name)) and isinstance(name, str) and _SIZE.search(name):
            return True
    return False
