from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.language_models import LOGITS
from mlxlint.model.values import Array, Dict, Tree, Value, as_array
from mlxlint.rule import Confidence, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

from ._exchange import HANDED_OVER, UNREAD, elements

_STEP = "mlx_lm.generate.generate_step"
_DEPTH = 8
FILE, MODEL, NAMED = "an array of a file", "a parameter", "one of the weights"


class NumpyReadsBfloat16(Rule):
    """A bfloat16 array is given to NumPy

    ## What it does
    Finds functions of NumPy that read a bfloat16 array: `np.array(x)`, `np.asarray(x)`, `np.exp(x)`, `np.save(f, x)`.
    Also finds, as likely, what is bfloat16 for most checkpoints: the logits of a model that `mlx_lm.load` returned, and
    the arrays of a file that a loop goes through, unless the function speaks of bfloat16. Parameters of a model and
    other dicts of arrays are noted as information.

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
            elif array.dtype is None and (source := _file_or_model(arg.value, context)) is not None:
                context.report(
                    self, arg.value, confidence=Confidence.LIKELY,
                    severity=Severity.WARNING if source == FILE else Severity.INFO, array=context.brief(arg.value),
                    of=f"{source}, which may be of", fix=_fix(arg.value, context),
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
    whole = isinstance(node, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)) or context.is_parenthesised(node)
    text = context.text(node) if whole else f"({context.text(node)})"
    return NodeFix("Convert to float32 first", [Replace(node, f"{text}.astype({core}.float32)")])


def _file_or_model(node: cst.BaseExpression, context: Context) -> str | None:
    """Where a loop that binds this name takes it from; None for others, and where bfloat16 is cared for."""
    code = context.enclosing_function(node)
    scope = context.tree if code is None else code.node.body
    if not isinstance(node, cst.Name) or any(map(_speaks_of_it, context.walk(scope))):
        return None
    for around in context.ancestors(node):
        loop = around if isinstance(around, cst.For) else getattr(around, "for_in", None)
        if isinstance(loop, (cst.For, cst.CompFor)) and isinstance(loop.target, cst.Tuple):
            bound = [element.value for element in loop.target.elements]
            if len(bound) == 2 and isinstance(bound[1], cst.Name) and bound[1].value == node.value:
                return _source(loop.iter, context)
        if around is scope:
            break
    return None


def _speaks_of_it(node: cst.CSTNode) -> bool:
    text = node.value if isinstance(node, (cst.Name, cst.SimpleString)) else ""
    return "bfloat16" in text


def _source(items: cst.BaseExpression, context: Context) -> str | None:
    """Whether pairs are those of a file's arrays by name, or of a model's parameters."""
    if not isinstance(items, cst.Call):
        return None
    if context.callee(items) == "mlx.utils.tree_flatten" and items.args:
        flattened = context.value(items.args[0].value)
        return MODEL if isinstance(flattened, Tree) and flattened.kind == "parameters" else None
    if isinstance(items.func, cst.Attribute) and items.func.attr.value == "items":
        table = context.value(items.func.value)
        if isinstance(table, Dict) and not table.items and isinstance(table.element, Array):
            return FILE if isinstance(table.node, cst.Call) and _is_load(table.node, context) else NAMED
    return None


def _is_load(call: cst.Call, context: Context) -> bool:
    """Whether a call, here or in another file, is one of `mx.load`."""
    return (context.callee(call) or tree.dotted(call.func) or "").endswith(".load")


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
