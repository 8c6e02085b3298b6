from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Foreign, Instance, Module, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._gradients import is_module
from ._modes import has_modes

_EVALUATING = re.compile(r"^_?(eval|valid|test|predict|infer|accuracy|score)")


class EvaluationAsMode(Rule):
    """`mx.eval(model)` stands where `model.eval()` is meant

    ## What it does
    Finds `mx.eval(model)` with nothing but a model that has dropout or batch normalisation, in a file that never
    calls `eval()` or `train(False)` of a model.

    ## PyTorch and MLX
    `model.eval()` switches to evaluation mode in both. `mx.eval(model)` computes the model's arrays and leaves it
    in training mode: dropout goes on dropping, and batch normalisation goes on using and updating the statistics of
    the batch.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    mx.eval(model)
    y = model(mx.ones((4, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    model.eval()
    y = model(mx.ones((4, 2)))
    ```

    ## Fix safety
    The fix calls `model.eval()` instead. It is unsafe: the model computes something else then.

    ## References
    - [Module.eval](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.eval.html)
    """

    code = "MLX224"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"eval"})
    message = "`mx.eval({model})` evaluates its arrays and leaves the model in training mode"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.eval" or len(node.args) != 1 or node.args[0].star:
            return
        model = node.args[0].value
        value = context.value(model)
        if not is_module(value) or not has_modes(value):
            return
        if _switches(context.tree, context):
            function = context.enclosing_function(node)
            if function is None or not _EVALUATING.search(function.name) or _switches(function.node.body, context):
                return
        fix = NodeFix(
            "Switch to evaluation mode", [Replace(node, f"{context.text(model)}.eval()")], Applicability.UNSAFE
        )
        context.report(self, node, because=[model], model=context.brief(model), fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
        mx.eval(model)
        training = model.layers[1].training
        model.eval()
        return Evidence(
            shown(training, "the dropout is in training mode"),
            shown(not model.layers[1].training, "it is in evaluation mode"),
        )


def _switches(scope: cst.CSTNode, context: Context) -> bool:
    """Whether some call in the file, or in a part of it, may switch a model to evaluation mode, or trains one."""
    return any(
        isinstance(call.func, cst.Attribute)
        and (
            call.func.attr.value in ("train", "update")
            or (call.func.attr.value == "eval" and _may_be_module(context.value(call.func.value)))
        )
        for call in (context.module.calls if scope is context.tree else context.nodes(scope, cst.Call))
    )


def _may_be_module(value: Value) -> bool:
    """Whether the receiver of ``eval`` may be a model of MLX: neither ``mx`` nor a model of another framework."""
    return not isinstance(value, (Foreign, Instance, Module)) or is_module(value)
