from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Partial, Value
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs

from ..training._gradients import is_module
from ..training._step import is_update
from ._compile import COMPILE, calls_transform


class CompiledWeightsFrozen(Rule):
    """A compiled model keeps the weights of its first call

    ## What it does
    Finds `mx.compile(model)`, and `mx.compile` of a method of a model, without `inputs`, in a file that also trains
    or loads weights. Where the file does neither it is left alone.

    ## PyTorch and MLX
    `torch.compile` reads the weights in each call. In MLX arrays that a compiled function was not given are
    constants of the trace: after an update or `load_weights` it goes on with the old ones.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(model)
    y = forward(mx.ones((4, 2)))
    model.load_weights([("weight", mx.zeros((1, 2))), ("bias", mx.zeros((1,)))])
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)
    forward = mx.compile(model, inputs=model.state)
    y = forward(mx.ones((4, 2)))
    model.load_weights([("weight", mx.zeros((1, 2))), ("bias", mx.zeros((1,)))])
    ```

    ## References
    - [Compiling training graphs](https://ml-explore.github.io/mlx/build/html/usage/compile.html#compiling-training-graphs)
    """

    code = "MLX515"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"compile"})
    message = "`{model}` is compiled without its state: it keeps the weights of its first call"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not calls_transform(node, COMPILE, context) or not node.args or context.arguments(node).starred:
            return
        function = node.args[0].value
        if "inputs" in context.arguments(node).keywords or not _is_model(context.value(function)):
            return
        if _changes_weights(node, context):
            context.report(self, node, because=[function], model=context.brief(function))

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        def after_loading(capture: bool) -> mx.array:
            model, x = nn.Linear(1, 1, bias=False), mx.ones((1, 1))
            forward = mx.compile(model, inputs=model.state) if capture else mx.compile(model)
            model.weight = mx.array([[1.0]])
            mx.eval(forward(x))
            model.weight = mx.array([[2.0]])
            return forward(x)

        return Evidence(differs(after_loading(False), [[2.0]]), agrees(after_loading(True), [[2.0]]))


def _is_model(value: Value) -> bool:
    receiver = getattr(value, "receiver", None)
    if isinstance(value, Partial):
        return value.transform == "mlx.nn.value_and_grad"
    return is_module(value) or (isinstance(receiver, Value) and is_module(receiver))


def _changes_weights(compile_call: cst.Call, context: Context) -> bool:
    """Whether the statements after a compilation, in its function or the file, change weights."""
    scope = next(a for a in context.ancestors(compile_call) if isinstance(a, (cst.FunctionDef, cst.Module)))
    after = False
    for node in context.walk(scope):
        if node is compile_call:
            after = True
        elif after and isinstance(node, cst.Call):
            called = context.called(node)
            loads = isinstance(node.func, cst.Attribute) and node.func.attr.value == "load_weights"
            if loads or is_update(called) or any(is_update(inner) for _, inner, _ in context.calls(node)):
                return True
    return False
