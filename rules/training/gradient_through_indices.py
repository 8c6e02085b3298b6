from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Array, Value, as_array
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ._gradients import is_differentiated, is_forward

ORDERING = frozenset({"argmax", "argmin", "argpartition", "argsort"})
TAKING = {"take_along_axis": 1, "put_along_axis": 1, "take": 1}
PASSING = frozenset(
    {
        "__getitem__",
        "astype",
        "reshape",
        "transpose",
        "expand_dims",
        "squeeze",
        "flatten",
        "swapaxes",
        "moveaxis",
        "flip",
    }
)
GIVEN = frozenset(
    {"annotation", "iteration", "parameter", "mlx.core.array", "mlx.core.load"}
)  # not computed by the model
DEPTH = 8


class GradientThroughIndices(Rule):
    """Indices computed from what is differentiated are not stopped

    ## What it does
    Finds `mx.take_along_axis`, `mx.take`, `mx.put_along_axis` and `x[indices]` with indices from `argmax`,
    `argsort`, `argpartition` or `argmin`, in a layer's forward pass, a function that it calls, or a differentiated
    function, without `mx.stop_gradient`.

    ## PyTorch and MLX
    PyTorch knows that indices have no gradient. MLX follows them back when they were computed from something it
    differentiates, and raises `Cannot calculate VJP with respect to indices`.

    ## Example
    ```python
    import mlx.core as mx


    def loss(scores):
        best = mx.argmax(scores, axis=-1, keepdims=True)
        return mx.take_along_axis(scores, best, axis=-1).sum()


    gradient = mx.grad(loss)(mx.array([[0.1, 0.9]]))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def loss(scores):
        best = mx.stop_gradient(mx.argmax(scores, axis=-1, keepdims=True))
        return mx.take_along_axis(scores, best, axis=-1).sum()


    gradient = mx.grad(loss)(mx.array([[0.1, 0.9]]))
    ```

    ## Fix safety
    The fix puts `mx.stop_gradient` around the computation of the indices. It changes no value and is safe.

    ## References
    - [mx.stop_gradient](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.stop_gradient.html)
    """

    code = "MLX222"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    calls = frozenset(TAKING)
    message = "`{function}` without `mx.stop_gradient` gives `{indices}`: the gradient of what they take raises"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        name = callee.rpartition(".")[2]
        if not callee.startswith("mlx.core."):
            return
        method = callee.startswith("mlx.core.array.")
        given = context.argument(node, TAKING[name] - (1 if method else 0), "indices")
        if given is not None:
            self._check(node, given, context)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if context.array(node.value) is None:
            return
        for element in node.slice:
            if isinstance(element.slice, cst.Index) and context.array(element.slice.value) is not None:
                self._check(node, element.slice.value, context)

    def _check(self, node: cst.BaseExpression, indices: cst.BaseExpression, context: Context) -> None:
        made = _ordering(context.value(indices), context)
        if made is None:
            return
        code = context.enclosing_function(node)
        if code is None or not is_forward(code, context) or not _is_differentiated_value(made, code, context):
            return
        if _is_stopped(node, code, context):
            return
        function = (context.callee(made) or "").rpartition(".")[2]
        surely = code.name != "__call__" and is_differentiated(code, context)  # a layer may be there for inference only
        if any(report.rule is self and report.node is made for report in context.reports):
            return  # indices that are used twice are stopped once
        context.report(
            self,
            made,
            because=[("the indices are used here", node)],
            severity=Severity.ERROR if surely else Severity.WARNING,
            indices=context.brief(indices),
            function=function,
            fix=_fix(made, context),
            repro={"function": function},
        )

    @staticmethod
    def repro(function: Literal["argmax", "argmin", "argsort", "argpartition"] = "argsort") -> Evidence:
        import mlx.core as mx

        options = (
            {"kth": 1} if function == "argpartition" else {"keepdims": True} if function in ("argmax", "argmin") else {}
        )

        def picked(x: mx.array, stop: bool) -> mx.array:
            indices = getattr(mx, function)(x, axis=-1, **options)[:, :1]
            return mx.take_along_axis(x, mx.stop_gradient(indices) if stop else indices, axis=-1).sum()

        x = mx.array([[0.9, 0.1]])
        hazard = raises(lambda: mx.grad(lambda v: picked(v, False))(x), ValueError, text="indices")
        return Evidence(hazard, agrees(mx.grad(lambda v: picked(v, True))(x).sum(), 1.0))


def _ordering(value: Value, context: Context) -> cst.Call | None:
    """The call of ``argsort`` and its like behind indices, through what keeps them; None when none is or it stops."""
    for _ in range(DEPTH):
        array: Array | None = as_array(value)
        if array is None or array.op is None:
            return None
        name, node = array.op.rpartition(".")[2], array.node
        if name in ORDERING:
            return node if isinstance(node, cst.Call) and context.parent(node) is not None else None
        if name not in PASSING:
            return None
        source = node.value if isinstance(node, cst.Subscript) else _receiver(node)
        if source is None:
            return None
        value = context.value(source)
    return None


def _receiver(node: cst.CSTNode | None) -> cst.BaseExpression | None:
    """What an array's method, or a function of one array, is given."""
    if not isinstance(node, cst.Call):
        return None
    if node.args and not node.args[0].star and node.args[0].keyword is None and isinstance(node.func, cst.Attribute):
        return (
            node.args[0].value
            if node.func.attr.value in ("expand_dims", "moveaxis", "squeeze", "flip")
            else node.func.value
        )
    return node.func.value if isinstance(node.func, cst.Attribute) else None


def _is_differentiated_value(made: cst.Call, code: FunctionCode, context: Context) -> bool:
    """Whether what is ordered may depend on parameters: floats that were computed, or the function's first argument."""
    source = context.argument(made, 0, "a")
    if isinstance(made.func, cst.Attribute) and context.array(made.func.value) is not None:
        source = made.func.value
    if isinstance(source, cst.Name) and source.value.endswith(("idx", "ids", "index", "indices")):
        return False  # a permutation that is turned round
    array = _joined(context.array(source), context)
    if array is None or not (array.dtype is None or array.dtype.startswith(("float", "bfloat"))):
        return False
    if array.op is None or array.op in GIVEN or array.op.startswith("mlx.core.random."):
        first = code.positional[0].name.value if code.owner is None and code.positional else None
        return isinstance(source, cst.Name) and source.value == first
    return array.op != "mlx.core.stop_gradient"


def _is_stopped(node: cst.CSTNode, code: FunctionCode, context: Context) -> bool:
    """Whether what is taken is used in ``mx.stop_gradient(...)`` alone, directly or by the name it is bound to."""
    for outer in context.ancestors(node):
        if isinstance(outer, cst.Call) and context.callee(outer) == "mlx.core.stop_gradient":
            return True
        if isinstance(outer, (cst.BaseSmallStatement, cst.BaseCompoundStatement)):
            break
    else:
        return False
    if not isinstance(outer, cst.Assign) or not isinstance(outer.targets[0].target, cst.Name):
        return False
    name = outer.targets[0].target
    stopped = [call for call in tree.walk(code.node.body) if _is_call_of(call, "mlx.core.stop_gradient", context)]
    inside = {id(part) for call in stopped for part in tree.walk(call)}
    used = [part for part in tree.walk(code.node.body) if isinstance(part, cst.Name) and part.value == name.value]
    return len(used) > 1 and all(part is name or id(part) in inside for part in used)


def _is_call_of(node: cst.CSTNode, name: str, context: Context) -> bool:
    return isinstance(node, cst.Call) and context.callee(node) == name


def _joined(array: Array | None, context: Context) -> Array | None:
    """The first of the arrays that were put together in one; the array itself when it was not."""
    node = array.node if array is not None and array.op in ("mlx.core.concatenate", "mlx.core.stack") else None
    parts = node.args[0].value if isinstance(node, cst.Call) and node.args else None
    if not isinstance(parts, (cst.List, cst.Tuple)) or not parts.elements:
        return array
    return max((context.array(part.value) for part in parts.elements), key=_is_computed)


def _is_computed(array: Array | None) -> bool:
    return array is not None and array.op is not None and array.op not in GIVEN


def _fix(made: cst.Call, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None:
        return None
    return NodeFix(
        "Stop the gradient at the indices",
        [Replace(made, f"{mx}.stop_gradient({context.text(made)})")],
        Applicability.SAFE,
    )
