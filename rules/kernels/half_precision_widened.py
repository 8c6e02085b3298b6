from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._flow import operation, origin
from ._measure import agree, peak_bytes, seconds

_HALF = frozenset({"float16", "bfloat16"})
_MADE = frozenset(
    """
    array zeros ones full eye identity arange linspace tri hanning hamming random.normal random.uniform random.gumbel
    random.truncated_normal random.laplace
    """.split()
)
_NORMS = {"fast.rms_norm": "rms_norm", "fast.layer_norm": "layer_norm"}
_NEUTRAL = frozenset({"reshape", "transpose", "expand_dims", "broadcast_to", "sqrt", "exp", "log", "cos", "sin"})


class HalfPrecisionWidened(Rule):
    """Half precision becomes float32 through an array made without a dtype

    ## What it does
    Finds operators and norms between an array of `float16` or `bfloat16` and one that was made in the same place
    without a dtype, and so is `float32`: `mx.array(0.5)`, `mx.zeros`, `mx.random.normal`, ... It is advice.

    ## PyTorch and MLX
    A tensor without axes does not widen others in PyTorch, and `torch.set_default_dtype` makes new ones half too. In
    MLX an array of `float32`, of whatever shape, makes the result `float32`, and with it everything after it: twice
    the memory, and slower products. Python numbers do not.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 64), dtype=mx.float16)
    scale = mx.array([0.125])
    y = x * scale
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 64), dtype=mx.float16)
    scale = mx.array([0.125], dtype=x.dtype)
    y = x * scale
    ```

    ## References
    - [Data types](https://ml-explore.github.io/mlx/build/html/python/data_types.html)
    """

    code = "MLX856"
    kind = Kind.COST
    severity = Severity.INFO
    calls = frozenset(_NORMS.values())
    yields_to = ("widened-matmul", "zero-dim-promotion")
    message = "`{wide}` is float32 and makes the result so: `{half}` is {dtype}"

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        left, right = context.array(node.left), context.array(node.right)
        if left is None or right is None:
            return
        if left.dtype in _HALF and _is_made(node.right, right, context):
            self._report(node, node.left, node.right, context)
        elif right.dtype in _HALF and _is_made(node.left, left, context):
            self._report(node, node.right, node.left, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if (context.callee(node) or "").removeprefix("mlx.core.") not in _NORMS or len(node.args) < 2:
            return
        x, weight = node.args[0].value, node.args[1].value
        given, by = context.array(x), context.array(weight)
        if given is not None and by is not None and given.dtype in _HALF and _is_made(weight, by, context):
            self._report(node, x, weight, context)

    def _report(
        self, node: cst.BaseExpression, half: cst.BaseExpression, wide: cst.BaseExpression, context: Context
    ) -> None:
        parent = context.parent(node)
        if isinstance(parent, cst.Attribute) and parent.attr.value == "astype":
            return
        dtype = context.array(half)
        context.report(
            self,
            node,
            because=[half, wide],
            wide=context.brief(wide),
            half=context.brief(half),
            dtype=None if dtype is None else dtype.dtype,
        )

    @staticmethod
    def repro(size: int = 512) -> Evidence:
        import mlx.core as mx

        x = mx.random.normal((size, size), key=mx.random.key(0)).astype(mx.float16)

        def widened(x: mx.array) -> mx.array:
            return mx.tanh(x * mx.array([0.5])) @ x

        def kept(x: mx.array) -> mx.array:
            return mx.tanh(x * mx.array([0.5], dtype=x.dtype)) @ x

        wide, half = peak_bytes(widened, x), peak_bytes(kept, x)
        times = f"{seconds(widened, x) * 1e3:.2f} and {seconds(kept, x) * 1e3:.2f} ms on {mx.default_device()}"
        return Evidence(
            shown(
                widened(x).dtype == mx.float32 and wide > 1.3 * half,
                f"{widened(x).dtype} and {wide} bytes, in half precision {half}; {times}",
            ),
            agree(kept(x).astype(mx.float32), widened(x), tolerance=0.5),
        )


def _is_made(node: cst.BaseExpression, array: Array, context: Context) -> bool:
    """Whether an array is float32 because it was made without a dtype."""
    if array.dtype != "float32":
        return False
    made = origin(node, context)
    for _ in range(8):
        name = operation(made, context)
        if not isinstance(made, cst.Call):
            return False
        if name in _MADE:
            return "dtype" not in context.arguments(made).keywords and not _has_dtype(made, name, context)
        if name not in _NEUTRAL or not made.args:
            return False
        inner = made.func.value if isinstance(made.func, cst.Attribute) and context.array(made.func.value) else None
        made = origin(inner or made.args[0].value, context)
    return False


def _has_dtype(call: cst.Call, name: str, context: Context) -> bool:
    places = {"array": 1, "zeros": 1, "ones": 1, "full": 2}
    return name in places and context.argument(call, places[name]) is not None
