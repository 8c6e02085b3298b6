from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import Value, as_array, scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs


class DtypeOfUpdate(Rule):
    """An in-place update whose dtype is not the array's

    ## What it does
    Finds floating-point values added into places of an integer array (`counts[i] += 0.5`), complex values assigned
    into a real array, and half-precision arrays that `+=` with a float32 array turns into float32.

    ## PyTorch and MLX
    PyTorch refuses to write a float result into an integer tensor in place, and keeps a tensor's dtype. MLX
    truncates what is written into places of an array, drops imaginary parts, and lets `x += y` change the dtype of
    `x`.

    ## Example
    ```python
    import mlx.core as mx

    counts = mx.array([1, 2, 3])
    counts[0] += 0.5
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    counts = mx.array([1.0, 2.0, 3.0])
    counts[0] += 0.5
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX112"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{array}` is of {dtype}: {effect}"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        value = _dtype(context.value(node.value))
        if isinstance(node.target, cst.Subscript):
            self._check_places(node, node.target, value or _division(node), context)
            return
        array = context.array(node.target)
        if (
            array is not None
            and array.dtype in ("float16", "bfloat16")
            and value == "float32"
            and as_array(context.value(node.value))
        ):
            effect = f"`{context.brief(node.value)}` of float32 turns it into float32"
            context.report(
                self,
                node,
                because=[node.target, node.value],
                array=context.brief(node.target),
                dtype=array.dtype,
                effect=effect,
            )

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                value = _dtype(context.value(node.value))
                if value == "complex64" or as_array(context.value(node.value)) is None:
                    self._check_places(node, target.target, value, context)

    def _check_places(self, node: cst.CSTNode, target: cst.Subscript, value: str | None, context: Context) -> None:
        array = context.array(target.value)
        if array is None or array.dtype is None or value is None:
            return
        if array.dtype in dtypes.INTEGERS and value in dtypes.FLOATS:
            effect = "fractions written into it are cut off"
        elif array.dtype in dtypes.FLOATS and value == "complex64":
            effect = "imaginary parts written into it are dropped"
        else:
            return
        context.report(
            self, node, because=[target.value], array=context.brief(target.value), dtype=array.dtype, effect=effect
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        counts, real = mx.array([1, 2]), mx.array([1.0, 2.0])
        counts[0] += 0.5
        real[0] += 0.5
        return Evidence(differs(counts, [1.5, 2.0], what="an integer array"), agrees(real, [1.5, 2.0]))


def _dtype(value: Value) -> str | None:
    """The dtype of an array, or of a Python number that is not whole."""
    array = as_array(value)
    if array is not None:
        return array.dtype
    number = getattr(value, "value", None)
    if (isinstance(number, float) and number.is_integer()) or number in (float("inf"), float("-inf")):
        return None
    return {"float": "float32", "complex": "complex64"}.get(scalar_type(value) or "")


def _division(node: cst.AugAssign) -> str | None:
    return "float32" if isinstance(node.operator, cst.DivideAssign) else None
