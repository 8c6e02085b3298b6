from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    shown,
)

_CALLS = frozenset({"set_dtype", "update"})


class SetDtypeResult(Rule):
    """The result of `set_dtype` or of an optimizer's `update` is used, which is `None`

    ## What it does
    Finds `model.set_dtype(…)` and `optimizer.update(…)` whose result is assigned, returned, passed on or called.

    ## PyTorch and MLX
    `model.to(dtype)` and `model.half()` return the module, so that one writes `model = Net().half()`. Most methods of
    MLX's modules do too (`train`, `eval`, `freeze`, `load_weights`, `apply`, `update`), but `set_dtype` works in place
    and returns `None`, as the `update` of an optimizer does.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 2).set_dtype(mx.bfloat16)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(4, 2)
    model.set_dtype(mx.bfloat16)
    ```

    ## Fix safety
    The fix makes two statements of an assignment. It is safe: the name is `None` before it.

    ## References
    - [set_dtype](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.set_dtype.html)
    """

    code = "MLX382"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = _CALLS
    message = "`{method}` works in place and returns `None`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        owner, _, method = callee.rpartition(".")
        of_module = method == "set_dtype" and owner.startswith("mlx.nn.")
        of_optimizer = method == "update" and owner.startswith("mlx.optimizers.")
        if not (of_module or of_optimizer) or not isinstance(node.func, cst.Attribute) or _is_statement(node, context):
            return
        context.report(
            self, node, because=[node.func.value], method=method, fix=_in_two(node, context),
            repro={"method": method},
        )  # fmt: skip

    @staticmethod
    def repro(method: Literal["set_dtype", "update"] = "set_dtype") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model = nn.Linear(1, 1)
        if method == "update":
            result = optim.SGD(0.1).update(model, {"bias": mx.ones((1,))})
            return Evidence(
                shown(result is None, "update(…) is None"), shown(model.bias.size == 1, "the model is there")
            )
        result = model.set_dtype(mx.float16)
        is_cast = model.weight.dtype == mx.float16
        return Evidence(shown(result is None, "set_dtype(…) is None"), shown(is_cast, "the model itself is cast"))


def _is_statement(node: cst.Call, context: Context) -> bool:
    """Whether a result goes nowhere: a statement of its own, or all that a lambda does."""
    return context.is_dropped(node) or isinstance(context.parent(node), (cst.Lambda, cst.Await))


def _in_two(node: cst.Call, context: Context) -> NodeFix | None:
    """``model = Net()`` and ``model.set_dtype(…)`` from an assignment of the whole."""
    assign = context.parent(node)
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1 or not isinstance(node.func, cst.Attribute):
        return None
    target, line = assign.targets[0].target, context.statement(node)
    if not isinstance(target, (cst.Name, cst.Attribute)) or not isinstance(line, cst.SimpleStatementLine):
        return None
    if len(line.body) != 1 or node.func.attr.value != "set_dtype":
        return None
    name, receiver = context.text(target), context.text(node.func.value)
    arguments = ", ".join(context.text(arg).rstrip(", ") for arg in node.args)
    edits: list[Replace | InsertStatement] = [
        Replace(node, receiver),
        InsertStatement(node, f"{name}.set_dtype({arguments})"),
    ]
    return NodeFix("Call it in a statement of its own", edits, Applicability.SAFE)
