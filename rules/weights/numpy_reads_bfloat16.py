from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import LOGITS
from mlxlint.model.values import Array, Value, as_array
from mlxlint.rule import Confidence, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ._exchange import HANDED_OVER, UNREAD, elements

_STEP = "mlx_lm.generate.generate_step"
_DEPTH = 8


class NumpyReadsBfloat16(Rule):
    """A bfloat16 array is given to NumPy

    ## What it does
    Finds functions of NumPy that read a bfloat16 array: `np.array(x)`, `np.asarray(x)`, `np.exp(x)`, `np.save(f, x)`.
    Also finds the logits of a model that `mlx_lm.load` returned, which are bfloat16 for most checkpoints, as likely.

    ## PyTorch and MLX
    NumPy has no bfloat16. PyTorch's `tensor.numpy()` raises `TypeError`, and MLX raises `ValueError: 'bfloat16' is not
    a valid PEP 3118 buffer format string`. Asking for a dtype (`np.array(x, dtype=np.float32)`) comes too late.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.ones((2, 3), dtype=mx.bfloat16)
    y = np.array(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    x = mx.ones((2, 3), dtype=mx.bfloat16)
    y = np.array(x.astype(mx.float32))
    ```

    ## Fix safety
    Safe: every bfloat16 number is a float32 number.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX950"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{array}` is {of} bfloat16, which NumPy does not have"
    calls = frozenset({"numpy.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("numpy."):
            return
        name = callee[6:]
        if name in HANDED_OVER or name in UNREAD or name.startswith(("dtype", "ndarray")):
            return
        for arg in node.args:
            array = as_array(elements(context.value(arg.value)))
            if array is None or arg.star or (arg.keyword is not None and arg.keyword.value == "dtype"):
                continue
            if array.dtype == "bfloat16":
                context.report(self, arg.value, because=[arg.value], array=context.brief(arg.value), of="of",
                               fix=_fix(arg.value, context))  # fmt: skip
            elif array.dtype is None and _is_from_a_model(array, context):
                context.report(
                    self, arg.value, because=[arg.value], confidence=Confidence.LIKELY, severity=Severity.WARNING,
                    array=context.brief(arg.value), of="a language model's, as a rule of", fix=_fix(arg.value, context),
                )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import numpy as np

        x = mx.array([1.5, -2.0], dtype=mx.bfloat16)
        hazard = raises(lambda: np.array(x), text="bfloat16")
        return Evidence(hazard, agrees(np.array(x.astype(mx.float32)).tolist(), [1.5, -2.0]))


def _fix(node: cst.BaseExpression, context: Context) -> NodeFix | None:
    core = context.alias("mlx.core")
    if core is None or context.array(node) is None:
        return None
    whole = isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or bool(node.lpar)
    text = context.text(node) if whole else f"({context.text(node)})"
    return NodeFix("Convert to float32 first", [Replace(node, f"{text}.astype({core}.float32)")])


def _is_from_a_model(array: Array, context: Context, depth: int = _DEPTH) -> bool:
    """Whether an array is a loaded model's output, or computed from it without another dtype coming in."""
    if array.op in (LOGITS, _STEP):
        return True
    node = array.node
    if depth == 0 or node is None or array.op is None:
        return False
    source: cst.CSTNode | None = None
    if isinstance(node, cst.Subscript):
        source = node.value
    elif isinstance(node, cst.Call) and array.op.startswith("mlx.core.array."):
        source = node.func.value if isinstance(node.func, cst.Attribute) else None
    elif isinstance(node, cst.Call) and node.args:
        source = node.args[0].value
    found: Value = context.value(source)
    inner = as_array(found)
    return inner is not None and inner is not array and _is_from_a_model(inner, context, depth - 1)
