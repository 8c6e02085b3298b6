from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Const
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._statements import block
from mlxlint.rules.indexing._later import bindings_above, read_below, rebound_between, written

VIEWS = frozenset({"numpy.asarray", "builtins.memoryview", "torch.from_dlpack", "torch.utils.dlpack.from_dlpack",
                   "torch.as_tensor"})  # fmt: skip
COPIES = frozenset({"numpy.array"})


class MemoryViewOfArray(Rule):
    """A NumPy view of an MLX array out of step with it

    ## What it does
    Finds writes through `np.asarray(x)`, `np.array(x, copy=False)`, `memoryview(x)`, `torch.from_dlpack(x)` and
    `torch.as_tensor(x)`, and writes to `x` after which such a view is read.

    ## PyTorch and MLX
    `tensor.numpy()` and its tensor stay one memory. In MLX, a write to `x` makes a new array and leaves the view with
    the old values; a write through the view changes `x`, and whatever was computed from it and not evaluated yet.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.ones((3,))
    view = np.array(x, copy=False)
    x += 5
    print(view)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.ones((3,))
    x += 5
    print(np.array(x))
    ```

    ## References
    - [Conversion to NumPy](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX115"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "{problem}"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        if isinstance(node.targets[0].target, cst.Subscript):
            self._check(node, context)

    def visit_Expr(self, node: cst.Expr, context: Context) -> None:
        call = node.value
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            name = call.func.attr.value
            if name.endswith("_") and not name.endswith("__") and "torch" in context.frameworks:
                self._check(node, context, call.func.value)

    def _check(
        self, node: cst.Assign | cst.AugAssign | cst.Expr, context: Context, changed: cst.BaseExpression | None = None
    ) -> None:
        target = written(node) if isinstance(node, (cst.Assign, cst.AugAssign)) else changed
        name = None if target is None else dotted(target)
        if target is None or name is None or not {"numpy", "torch"} & context.frameworks:
            return
        for binding in bindings_above(node, context):
            view, source = dotted(binding.targets[0].target), _viewed(binding.value, context)
            if view is None or source is None:
                continue
            if view == name and not _is_evaluated_between(binding, node, context):
                problem = f"this writes to `{source}`'s own memory, and to what was computed from it and not evaluated"
            elif (
                source == name and not rebound_between(binding, node, name, context) and read_below(node, view, context)
            ):
                problem = f"`{view}` keeps the values that `{name}` had before this write"
            else:
                continue
            because = [(f"`{context.brief(binding)}` shares memory", binding)]
            case = "written" if view == name else "stale"
            context.report(
                self, node, because=because, confidence=Confidence.LIKELY, problem=problem, repro={"case": case}
            )

    @staticmethod
    def repro(case: str = "stale") -> Evidence:
        import mlx.core as mx
        import numpy as np

        x = mx.ones((3,))
        mx.eval(x)
        view = np.array(x, copy=False)
        if case == "written":
            pending = x * 2
            view[:] = 0
            return Evidence(differs(pending, [2, 2, 2]), agrees(np.array(mx.ones((3,)) * 2), [2, 2, 2]))
        x += 5
        return Evidence(differs(view, [6, 6, 6], what="the view"), agrees(np.array(x), [6, 6, 6]))


def _is_evaluated_between(first: cst.CSTNode, last: cst.CSTNode, context: Context) -> bool:
    """Whether what was computed from a view is evaluated before the view is written to."""
    statements, at = block(last, context)
    start = next((i for i, statement in enumerate(statements) if statement is first), at)
    calls = (node for statement in statements[start:at] for node in walk(statement) if isinstance(node, cst.Call))
    return any(context.callee(call) == "mlx.core.eval" for call in calls)


def _viewed(node: cst.BaseExpression, context: Context) -> str | None:
    """The array of which an expression is a view in another library."""
    if not isinstance(node, cst.Call) or not node.args or context.array(node.args[0].value) is None:
        return None
    callee, copy = context.callee(node), context.value(context.argument(node, None, "copy"))
    shares = callee in VIEWS or (callee in COPIES and isinstance(copy, Const) and copy.value is False)
    return dotted(node.args[0].value) if shares else None
