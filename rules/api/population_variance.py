from __future__ import annotations

from functools import partial

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Const
from mlxlint.rule import Applicability, Confidence, Evidence, Fixable, Kind, NodeFix, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, operation
from mlxlint.rules._shared import is_port, with_keyword

ESTIMATES = frozenset({"std", "var"})
_NUMBERS = frozenset({"mlx.core.array.item", "mlx.core.array.tolist", "builtins.float", "builtins.round"})


class PopulationVariance(Rule):
    """Standard deviation or variance without `ddof`

    ## What it does
    Finds `std` and `var` without `ddof`. It is a warning in a file that speaks of PyTorch and information
    elsewhere. Where it serves to normalise, it is information there, and a variance is left alone elsewhere: the
    layers that normalise divide by N in both libraries. One that is only printed is left alone, too.

    ## PyTorch and MLX
    PyTorch divides by N - 1 by default (the sample estimate), MLX by N (`ddof=0`, as NumPy). Of a single element,
    PyTorch gives NaN and MLX 0.

    ## Example
    ```python
    import mlx.core as mx

    spread = mx.std(mx.array([1.0, 2.0, 4.0]))  # torch.std gives 1.53
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    spread = mx.std(mx.array([1.0, 2.0, 4.0]), ddof=1)
    ```

    ## Fix safety
    Unsafe: the value changes, to that of PyTorch's default. Where PyTorch was called with `unbiased=False` or
    `correction=0`, state `ddof=0` instead.

    ## References
    - [mlx.core.std](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.std.html)
    """

    code = "MLX453"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{name}` divides by N, `torch.{name}` by N - 1 unless told otherwise: say which with `ddof`"
    calls = ESTIMATES

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, ESTIMATES)
        if (
            found is None
            or found.starred
            or found.argument(2, "ddof", "correction", "unbiased") is not None
            or context.array(found.subject) is None
            or _is_shown(node, context)
        ):
            return
        normalises = _normalises(node, found, context)
        if normalises and found.name == "var" and not is_port(context):
            return
        report = partial(context.report, severity=Severity.INFO) if normalises else context.report_default
        fix = NodeFix("Divide by N - 1", [with_keyword(node, "ddof=1", context)], Applicability.UNSAFE)
        report(
            self, node, because=[found.subject], confidence=Confidence.LIKELY, name=found.name,
            fix=fix, repro={"name": found.name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "std") -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0, 4.0])
        expected = {"std": 1.5275252, "var": 2.3333333}[name]
        return Evidence(differs(getattr(mx, name)(x), expected), agrees(getattr(mx, name)(x, ddof=1), expected))


def _is_shown(node: cst.Call, context: Context) -> bool:
    """Whether the estimate, or the name it gets, stands in formatted strings alone: it is there to be looked at."""
    if context.enclosing(node, cst.FormattedString) is not None or _is_printed(node, context):
        return True
    statement = context.enclosing(node, cst.Assign)
    target = statement.targets[0].target if statement is not None and len(statement.targets) == 1 else None
    function = context.enclosing_function(node)
    if not isinstance(target, cst.Name) or function is None:
        return False
    names = (n for n in context.walk(function.node.body) if isinstance(n, cst.Name) and n.value == target.value)
    uses = [name for name in names if name is not target]
    return bool(uses) and all(context.enclosing(use, cst.FormattedString) is not None for use in uses)


def _is_printed(node: cst.CSTNode, context: Context) -> bool:
    """Whether a value is given to `print`, itself or as a number."""
    outer = context.enclosing(node, cst.Call)
    while outer is not None and context.callee(outer) in _NUMBERS:
        outer = context.enclosing(outer, cst.Call)
    return outer is not None and context.callee(outer) == "builtins.print"


def _normalises(node: cst.Call, found: Operation, context: Context) -> bool:
    """Whether this serves to normalise, where PyTorch divides by N, too: axes are kept, or an epsilon is added."""
    kept, parent = context.value(found.argument(1, "keepdims")), context.parent(node)
    if isinstance(kept, Const) and kept.value is True:
        return True
    return isinstance(parent, cst.BinaryOperation) and isinstance(parent.operator, (cst.Add, cst.Multiply))
