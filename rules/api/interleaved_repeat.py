from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
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
from mlxlint.rules._shared import is_port


class InterleavedRepeat(Rule):
    """`mx.repeat` in place of `Tensor.repeat`

    ## What it does
    Finds `mx.repeat` without an axis on an array of several axes. On other arrays, and in a file that speaks of
    PyTorch along an axis that is longer than one, it is noted as information: repeating each element may be meant, and
    is taken to be so in a function that tiles as well; what may be a single number is left alone.

    ## PyTorch and MLX
    `Tensor.repeat` tiles: `[1, 2]` becomes `[1, 2, 1, 2]`. `mx.repeat` repeats each element, as `repeat_interleave`
    does: `[1, 1, 2, 2]`; without an axis it also flattens. `mx.tile` is the counterpart of `Tensor.repeat`.

    ## Example
    ```python
    import mlx.core as mx

    loops = mx.repeat(mx.arange(3), 2)  # torch.arange(3).repeat(2) gives 0, 1, 2, 0, 1, 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    loops = mx.tile(mx.arange(3), 2)
    ```

    Where each element is to be repeated (`repeat_interleave`), give the axis.

    ## Fix safety
    Without an axis, `mx.repeat` becomes `mx.tile`. It is unsafe: `repeat_interleave` may be meant.

    ## References
    - [mlx.core.repeat](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.repeat.html)
    """

    code = "MLX457"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`mx.repeat` {effect}; `Tensor.repeat` tiles, as `mx.tile`"
    calls = frozenset({"repeat"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx.core.repeat":
            return
        arguments = context.arguments(node)
        subject = context.argument(node, 0, "array", "a")
        if (
            arguments.starred
            or subject is None
            or constant(context.value(context.argument(node, 1, "repeats")), int) == 1
        ):
            return
        axis = context.argument(node, 2, "axis")
        array = context.array(subject)
        rank = None if array is None else array.rank
        if rank == 0:
            return
        if axis is None:
            effect = "without an axis repeats each element and flattens"
            severity = Severity.WARNING if rank is not None and rank > 1 else Severity.INFO
            if severity is Severity.INFO and _tiles_too(node, context):
                return
        elif array is None or array.shape is None or not is_port(context):
            return
        else:
            at = constant(context.value(axis), int)
            if (
                not isinstance(at, int)
                or not -len(array.shape) <= at < len(array.shape)
                or array.shape[at] in (1, None)
            ):
                return
            effect, severity = "repeats each element", Severity.INFO
        context.report(
            self, node, because=[subject], severity=severity, effect=effect,
            confidence=Confidence.POSSIBLE if rank is None else Confidence.LIKELY,
            fix=_fix(node, context) if axis is None else None,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.array([0, 1, 2])
        expected = [0, 1, 2, 0, 1, 2]
        return Evidence(differs(mx.repeat(x, 2), expected), agrees(mx.tile(x, 2), expected))


def _tiles_too(node: cst.Call, context: Context) -> bool:
    """Whether the function around a call tiles as well: whoever wrote it knows both."""
    function = context.enclosing(node, cst.FunctionDef)
    calls = () if function is None else context.nodes(function, cst.Call)
    return any(context.callee(call) == "mlx.core.tile" for call in calls)


def _fix(node: cst.Call, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or len(context.arguments(node).positional) != 2 or len(node.args) != 2:
        return None
    return NodeFix("Tile", [Replace(node.func, f"{mx}.tile")], Applicability.UNSAFE)
