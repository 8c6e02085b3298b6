from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.foreign import NDARRAY, NUMPY_SCALAR, TENSOR
from mlxlint.model.values import CERTAIN, Foreign, Sequence, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

AS_FLOATS = frozenset({"float64", "complex128"})  # NumPy's scalars that are Python's float and complex as well
MAKING_ARRAYS = frozenset(
    "numpy." + name
    for name in """array asarray zeros ones full empty zeros_like ones_like full_like arange linspace stack concatenate
    vstack hstack eye identity tile repeat reshape frombuffer loadtxt load outer""".split()
)
MAKING_INTEGERS = frozenset({"numpy.argmax", "numpy.argmin", "numpy.searchsorted", "numpy.digitize"})
NOUNS = {"array": "NumPy arrays", "scalar": "NumPy's scalars", "tensor": "PyTorch tensors"}


class ListOfForeignArrays(Rule):
    """A list of NumPy's or PyTorch's objects given to `mx.array`

    ## What it does
    Finds `mx.array([...])` of a list or tuple of NumPy arrays, PyTorch tensors or NumPy scalars (all but `float64`,
    which is a `float` of Python as well).

    ## PyTorch and MLX
    `torch.tensor` takes a list of NumPy's scalars. `mx.array` takes one NumPy array or tensor, but in a list only
    numbers of Python and arrays of MLX: `ValueError: Invalid type ndarray received in array initialization`.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    rows = [np.ones(3), np.zeros(3)]
    batch = mx.array(rows)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    rows = [np.ones(3), np.zeros(3)]
    batch = mx.array(np.stack(rows))
    ```

    ## Fix safety
    Unsafe: the list goes through `np.array`, or `torch.stack` for tensors, which need rows of one length.

    ## References
    - [mlx.core.array](https://ml-explore.github.io/mlx/build/html/python/array.html)
    """

    code = "MLX424"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`mx.array` takes no list of {noun}"
    calls = frozenset({"array", "asarray"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in ("mlx.core.array", "mlx.core.asarray"):
            return
        data = context.argument(node, 0, "val", "a")
        kind = None if data is None else _held(context.value(data))
        if data is None or kind is None:
            return
        context.report(
            self, data, because=[data], noun=NOUNS[kind], fix=_fix(data, kind, context), repro={"kind": kind}
        )

    @staticmethod
    def repro(kind: Literal["array", "scalar", "tensor"] = "array") -> Evidence:
        import mlx.core as mx
        import numpy as np

        items = [np.float32(1.0), np.float32(2.0)] if kind == "scalar" else [np.array(1.0), np.array(2.0)]
        if kind == "tensor":
            import torch

            tensors = [torch.tensor(1.0), torch.tensor(2.0)]
            hazard = raises(lambda: mx.array(tensors), ValueError)
            return Evidence(hazard, agrees(mx.array(torch.stack(tensors)), [1, 2]))
        return Evidence(raises(lambda: mx.array(items), ValueError), agrees(mx.array(np.array(items)), [1, 2]))


def _held(value: Value) -> str | None:
    """The kind of foreign object that a list surely holds, one level of lists within it looked through."""
    if not isinstance(value, Sequence) or value.kind not in ("list", "tuple"):
        return None
    for item in value.items if value.items is not None else (value.element,):
        kind = _held(item) if isinstance(item, Sequence) else _kind(item)
        if kind is not None:
            return kind
    return None


def _kind(value: Value) -> str | None:
    if not isinstance(value, Foreign) or value.confidence < CERTAIN:
        return None
    if value.type == TENSOR:
        return "tensor"
    if value.type == NUMPY_SCALAR:
        return "scalar" if value.dtype is not None and value.dtype not in AS_FLOATS else None
    if value.type != NDARRAY:
        return None
    if value.op in MAKING_INTEGERS:
        return "scalar"
    return "array" if value.shape not in (None, ()) or value.op in MAKING_ARRAYS else None


def _fix(data: cst.BaseExpression, kind: str, context: Context) -> NodeFix | None:
    library, function = ("torch", "stack") if kind == "tensor" else ("numpy", "array")
    module = context.importing(library, "np" if library == "numpy" else library)
    if module is None:
        return None
    name, imports = module
    text = f"{name}.{function}({context.text(data)})"
    return NodeFix(f"Make one of them by `{name}.{function}`", [*imports, Replace(data, text)], Applicability.UNSAFE)
