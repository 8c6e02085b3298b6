from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Rule,
    Severity,
    shown,
)

from ..training._gradients import is_module
from ..training._step import EVAL
from ._captured import free_paths

_EXPORTING = frozenset({"mlx.core.export_function", "mlx.core.exporter"})


class ExportBeforeEvaluation(Rule):
    """A function is exported with a model whose weights were never evaluated

    ## What it does
    Finds `mx.export_function` and `mx.exporter` of a function that uses a model made in the same scope, of which
    nothing was evaluated before.

    ## PyTorch and MLX
    `torch.export` stores the weights. MLX exports the graph behind them: of weights that were not evaluated yet that
    is how they are drawn. The file is small, and every time it is loaded the model has other weights.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 2)
    mx.export_function("model.mlxfn", lambda x: model(x), mx.ones((1, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 2)
    mx.eval(model.parameters())
    mx.export_function("model.mlxfn", lambda x: model(x), mx.ones((1, 2)))
    ```

    ## Fix safety
    Safe: the weights are evaluated before.

    ## References
    - [Exporting functions](https://ml-explore.github.io/mlx/build/html/usage/export.html)
    """

    code = "MLX529"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"export_function", "exporter"})
    message = "`{model}` was not evaluated: how its weights are drawn is exported, not the weights"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        function = context.argument(node, 1, "fun") if context.callee(node) in _EXPORTING else None
        if function is None:
            return
        model = _model(function, context)
        if model is None or not _is_fresh(model, node, context):
            return
        mx = context.alias("mlx.core")
        statement = InsertStatement(node, f"{mx}.eval({model}.parameters())", after=False)
        fix = NodeFix("Evaluate the weights", [statement], Applicability.SAFE) if mx is not None else None
        context.report(self, node, model=model, fix=fix, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(size: int = 64) -> Evidence:
        import os
        import tempfile

        import mlx.core as mx
        import mlx.nn as nn

        def exported(evaluate: bool) -> int:
            with tempfile.TemporaryDirectory() as folder:
                path, model = os.path.join(folder, "model.mlxfn"), nn.Linear(size, size)
                if evaluate:
                    mx.eval(model.parameters())
                mx.export_function(path, lambda x: model(x), mx.ones((1, size)))
                return os.path.getsize(path)

        lazy, evaluated, weights = exported(False), exported(True), 4 * size * size
        return Evidence(
            shown(lazy < weights, f"{lazy} bytes are written for {weights} bytes of weights"),
            shown(evaluated > weights, f"evaluated before: {evaluated}"),
        )


def _model(function: cst.BaseExpression, context: Context) -> str | None:
    """The name of the model that an exported function uses."""
    if is_module(context.value(function)):
        return dotted(function)
    code = context.function(context.value(function))
    if code is None or code.module is not context.module:
        return None
    for node in context.walk(code.node.body):
        if isinstance(node, cst.Name) and is_module(context.value(node)) and node.value in free_paths(code):
            return node.value
    return None


def _is_fresh(model: str, export: cst.Call, context: Context) -> bool:
    """Whether a model is made in the scope of an export, and used for nothing in between that may evaluate it."""
    code = context.enclosing_function(export)
    made = False
    for node in context.walk(context.tree if code is None else code.node.body):
        if node is export:
            return made
        if isinstance(node, cst.Assign) and any(dotted(target.target) == model for target in node.targets):
            made = isinstance(node.value, cst.Call) and is_module(context.value(node.value))
        elif isinstance(node, cst.Call) and made:
            is_evaluation = context.callee(node) in EVAL
            used = any(dotted(part) == model for part in context.walk(node))
            quiet = isinstance(node.func, cst.Attribute) and node.func.attr.value in (
                "eval",
                "train",
                "freeze",
                "set_dtype",
            )
            if is_evaluation or (used and not quiet):
                made = False
    return False
