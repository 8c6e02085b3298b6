from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import CERTAIN, LIKELY, Array, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown
from mlxlint.rules._operations import operand, produced_by

HALF = ("float16", "bfloat16")
ACTIVATIONS = (
    "mlx.nn.Embedding.__call__",
    "mlx.nn.Linear.__call__",
    "mlx.nn.LayerNorm.__call__",
    "mlx.nn.RMSNorm.__call__",
)


CHOOSING = {"where": (1, 2), "maximum": (0, 1), "minimum": (0, 1), "add": (0, 1), "multiply": (0, 1)}
ROOTS = {"sqrt": "0.5", "rsqrt": "-0.5"}  # of a Python number they are arrays too; and the power to write instead


class ZeroDimPromotion(Rule):
    """Scaling half-precision arrays by a 0-d array

    ## What it does
    Finds arithmetic, `mx.where`, `mx.maximum` and `mx.minimum` between an array of half precision, a layer's output, a
    parameter or a gradient, and `mx.array(2.5)` or `mx.sqrt` of a Python number made in the same function. It is a note
    where nothing but its use tells of the array, or where it was computed from such arrays.

    ## PyTorch and MLX
    A 0-d tensor does not widen a tensor of the same kind: `bfloat16 * torch.tensor(2.5)` stays `bfloat16`. In MLX
    only Python numbers are that weak: `bfloat16 * mx.array(2.5)` is `float32`, and so is everything computed from
    it.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.ones((4, 8), dtype=mx.bfloat16)
    scaled = x * mx.array(0.5)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.ones((4, 8), dtype=mx.bfloat16)
    scaled = x * 0.5
    ```

    ## Fix safety
    Where the array is made of a number, the fix uses the number. It is unsafe: other uses of it may want an array.

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX468"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "`{scalar}` is a 0-d array of float32: it turns `{array}` into float32 when that is of half precision"

    calls = frozenset(CHOOSING)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        self._check(node, node.left, node.right, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        given = [arg.value for arg in node.args if not arg.star and arg.keyword is None]
        places = CHOOSING.get(callee[9:], ()) if callee is not None and callee.startswith("mlx.core.") else ()
        if places and len(given) > places[-1]:
            self._check(node, given[places[0]], given[places[1]], context)

    def _check(
        self, node: cst.BaseExpression, left: cst.BaseExpression, right: cst.BaseExpression, context: Context
    ) -> None:
        for side, other in ((left, right), (right, left)):
            scalar, array = context.array(other), context.array(side)
            if scalar is None or array is None or array.rank == 0 or not _is_scalar(scalar, node, context):
                continue
            confidence = CERTAIN if array.dtype in HALF else LIKELY if _may_be_half(array) else None
            if confidence is not None:
                repro = {"dtype": array.dtype} if array.dtype in HALF else {}
                of_weights = confidence == CERTAIN or array.parameter or array.op in ACTIVATIONS
                context.report(
                    self, node, because=[side, other], confidence=confidence, repro=repro,
                    severity=Severity.WARNING if of_weights else Severity.INFO,
                    scalar=context.brief(other), array=context.brief(side), fix=_plain_number(scalar, context),
                )  # fmt: skip

    @staticmethod
    def repro(dtype: str = "bfloat16") -> Evidence:
        import mlx.core as mx

        x = mx.ones((2,), dtype=getattr(mx, dtype))
        wide, kept = (x * mx.array(2.5)).dtype, (x * 2.5).dtype
        return Evidence(
            shown(wide == mx.float32, f"times mx.array(2.5): {wide}"), shown(kept == x.dtype, f"times 2.5: {kept}")
        )


def _is_scalar(scalar: Array, node: cst.CSTNode, context: Context) -> bool:
    """Whether this is `mx.array(<number>)`, float32 and of no axes, made where it is used."""
    if isinstance(scalar.node, cst.Call) and context.argument(scalar.node, 1, "dtype") is not None:
        return False
    if scalar.shape != () or scalar.dtype != "float32" or not _is_of_number(scalar, context):
        return False
    function = _function(node, context)
    return scalar.node is not None and (
        _function(scalar.node, context) is function or _function(function, context) is _function(scalar.node, context)
    )


def _is_of_number(scalar: Array, context: Context) -> bool:
    """Whether an array is `mx.array` of a number, or `mx.sqrt` and the like of a Python number."""
    if produced_by(scalar, "array"):
        return True
    call = scalar.node
    given = call.args[0].value if isinstance(call, cst.Call) and len(call.args) == 1 else None
    return produced_by(scalar, *ROOTS) and scalar_type(context.value(given)) in ("int", "float")


def _plain_number(scalar: Array, context: Context) -> NodeFix | None:
    """Leave out the ``mx.array`` around a Python number."""
    call = scalar.node
    if not isinstance(call, cst.Call) or len(call.args) != 1 or context.parent(call) is None:
        return None
    number = call.args[0].value
    if context.array(number) is not None or isinstance(number, (cst.List, cst.Tuple)):
        return None
    text, power = operand(number, context), ROOTS.get((scalar.op or "").rpartition(".")[2])
    edit = Replace(call, text if power is None else f"({text}**{power})")
    return NodeFix("Use the number", [edit], Applicability.UNSAFE)


def _function(node: cst.CSTNode | None, context: Context) -> cst.CSTNode | None:
    return None if node is None else context.enclosing(node, cst.FunctionDef, cst.Lambda, within_function=False)


def _may_be_half(array: Array) -> bool:
    """A parameter, a layer's output or a leaf of a tree, whose dtype is that of the model's weights."""
    if array.dtype in dtypes.DTYPES and array.op not in ACTIVATIONS:
        return False
    return (
        array.parameter
        or array.op in ACTIVATIONS
        or (array.op is None and array.shape is None and array.confidence == LIKELY)
        or _is_computed(array)
    )


def _is_computed(array: Array) -> bool:
    """Whether an array of unknown dtype was computed from others: scores have that of what is attended to."""
    return array.dtype is None and array.op is not None and array.op.startswith(("operator.", "mlx.core."))
