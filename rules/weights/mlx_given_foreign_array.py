from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Sequence, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ._exchange import NDARRAY, STRICT, STRICT_LAYERS, TENSOR, elements, is_foreign

_NAMES = {NDARRAY: "a NumPy array", TENSOR: "a torch tensor"}
_ARRAYS = {"einsum": slice(1, None), "where": slice(1, None)}  # which positions are arrays, where not the first two


class MlxGivenForeignArray(Rule):
    """An MLX function or layer is given a NumPy array or a torch tensor

    ## What it does
    Finds `mx.mean(n)`, `x @ n`, `mx.concatenate([x, n])`, `nn.Linear(4, 2)(n)`, ... where `n` is a NumPy array or a
    tensor, in functions and layers that take nothing but MLX's own arrays.

    ## PyTorch and MLX
    Elementwise functions of MLX (`mx.exp(n)`, `x + n`) convert what they are given. Reductions, shape functions, matrix
    products and layers do not, and raise `TypeError: incompatible function arguments`.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    n = np.ones((2, 3), dtype=np.float32)
    total = mx.mean(n)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    n = np.ones((2, 3), dtype=np.float32)
    total = mx.mean(mx.array(n))
    ```

    ## Fix safety
    The array is converted by `mx.array`. It is unsafe: float64 becomes float32.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX952"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = STRICT | {"__call__"}
    message = "`{function}` takes MLX arrays, and `{array}` is {kind}"
    operators = frozenset({cst.MatrixMultiply})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None:
            return
        layer = callee.startswith("mlx.nn.") and callee.removesuffix(".__call__").rpartition(".")[2] in STRICT_LAYERS
        if not layer and (not callee.startswith("mlx.core.") or callee.count(".") != 2):
            return
        name = callee.rpartition(".")[2]
        if name not in STRICT and not (layer and name == "__call__"):
            return
        for arg in node.args[_ARRAYS.get(name, slice(0, 1 if layer else 2))]:
            kind = _foreign(context.value(arg.value))
            if kind is not None and not arg.star:
                context.report(
                    self, arg.value, because=[arg.value], function=context.brief(node.func), kind=_NAMES[kind],
                    array=context.brief(arg.value), fix=_fix(arg.value, kind, context),
                )  # fmt: skip
                return

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        kind = _foreign(context.value(node.right))
        if kind is not None and context.array(node.left) is not None:
            context.report(
                self, node.right, because=[node.left, node.right], function="@", kind=_NAMES[kind],
                array=context.brief(node.right), fix=_fix(node.right, kind, context), repro={"operator": True},
            )  # fmt: skip

    @staticmethod
    def repro(operator: bool = False) -> Evidence:
        import mlx.core as mx
        import numpy as np

        n = np.array([1.0, 2.0], dtype=np.float32)
        call = (lambda: mx.ones((2,)) @ n) if operator else (lambda: mx.mean(n))
        return Evidence(raises(call, TypeError), agrees(mx.mean(mx.array(n)), 1.5))


def _foreign(value: Value) -> str | None:
    """The library that a value is surely of, or one of the items of a list."""
    if isinstance(value, Sequence) and value.kind in ("list", "tuple") and value.items is not None:
        return next((kind for item in value.items for kind in _NAMES if is_foreign(item, kind)), None)
    return next((kind for kind in _NAMES if is_foreign(elements(value), kind)), None)


def _fix(node: cst.BaseExpression, kind: str, context: Context) -> NodeFix | None:
    core = context.alias("mlx.core")
    if core is None or not is_foreign(context.value(node), kind):
        return None
    text = f"{core}.array({context.text(node)})"
    return NodeFix("Make an MLX array of it", [Replace(node, text)], Applicability.UNSAFE)
