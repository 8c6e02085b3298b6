from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Class, Name, Value
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs

from ._ring import answers

_AVERAGING = "mlx.nn.average_gradients"
_SHARING = frozenset("seed load load_weights load_model from_pretrained broadcast all_sum all_gather".split())


class WeightsOfEachProcess(Rule):
    """Every process trains a model of its own

    ## What it does
    Finds `nn.average_gradients` in files that neither set a seed nor load weights, nor add up parameters to share
    them.

    ## PyTorch and MLX
    `DistributedDataParallel` sends the weights of the first process to all others. MLX averages gradients, and
    nothing else: each process draws its initial weights, and the models never become one. Set the same seed in all of
    them before the model is made, or load weights.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    world = mx.distributed.init()
    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).mean())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    gradients = nn.average_gradients(gradients)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    world = mx.distributed.init()
    mx.random.seed(0)
    model = nn.Linear(2, 1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).mean())
    loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
    gradients = nn.average_gradients(gradients)
    ```

    ## References
    - [Distributed communication: training](https://ml-explore.github.io/mlx/build/html/usage/distributed.html#training-example)
    """

    code = "MLX615"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"average_gradients"})
    message = (
        "gradients are averaged, and the models of the processes begin with different weights: set one seed in all"
    )

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == _AVERAGING and context.shared(_makes_own_model, context.tree):
            context.report(self, node, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        script = "import mlx.nn as nn\n{}\nprint(nn.Linear(1, 1).weight.tolist()[0])"
        own = answers(script.format(""))
        shared = answers(script.format("mx.random.seed(0)"))
        return Evidence(differs(own[1], own[0], what="the second process's weight"), agrees(shared[1], shared[0]))


def _makes_own_model(tree: cst.CSTNode, context: Context) -> bool:
    """Whether a file makes a model, and nothing in it makes those of all processes alike."""
    makes = False
    for call, called in context.module.calls.items():
        name = call.func.attr.value if isinstance(call.func, cst.Attribute) else getattr(call.func, "value", "")
        if name in _SHARING:
            return False
        makes = makes or _is_model(called)
    return makes


def _is_model(called: Value) -> bool:
    if isinstance(called, Class):
        return called.code.is_mlx_module
    if not isinstance(called, Name) or not called.name.startswith("mlx.nn."):
        return False
    layer = called.name.removeprefix("mlx.nn.")
    return layer[:1].isupper() and "." not in layer  # no method of a model that is given
