from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Const, Scalar, Sequence, as_array, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs


class IndexAxisOrder(Rule):
    """An index whose axes MLX orders as NumPy does

    ## What it does
    Finds reads such as `x[0, :, index]`, where an integer and an index array have a slice between them, and lists
    of lists as an index.

    ## PyTorch and MLX
    PyTorch takes the integer first and the array then, and reads a list of lists as one index for each axis. MLX
    follows NumPy: separated by a slice, the gathered axis goes to the front, so the result is transposed; a list of
    lists is one two-dimensional index of the first axis.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3, 4))
    y = x[0, :, mx.array([0, 1, 3])]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3, 4))
    y = x[0][:, mx.array([0, 1, 3])]
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX109"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{read}` {effect}"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if context.array(node.value) is None or isinstance(context.parent(node), cst.AugAssign):
            return
        if _is_separated(node, context):
            effect = "puts the gathered axis first in MLX: an integer and an index array with a slice between them"
            context.report(
                self, node, because=[node.value], read=context.brief(node), effect=effect, repro={"nested": False}
            )
        elif (
            len(node.slice) == 1
            and isinstance(node.slice[0].slice, cst.Index)
            and _is_nested(node.slice[0].slice.value)
        ):
            effect = "reads a list of lists as one index of the first axis, not as one for each axis"
            context.report(
                self, node, because=[node.value], read=context.brief(node), effect=effect, repro={"nested": True}
            )

    @staticmethod
    def repro(nested: bool = False) -> Evidence:
        import mlx.core as mx

        if nested:
            x = mx.arange(4).reshape(2, 2)
            rows, columns = mx.array([0, 1]), mx.array([1, 0])
            return Evidence(differs(x[[[0, 1], [1, 0]]], [1, 2]), agrees(x[rows, columns], [1, 2]))
        x = mx.arange(8).reshape(2, 2, 2)
        index = mx.array([0, 1])
        return Evidence(differs(x[0, :, index], [[0, 1], [2, 3]]), agrees(x[0][:, index], [[0, 1], [2, 3]]))


def _is_separated(node: cst.Subscript, context: Context) -> bool:
    """Whether an integer stands before an index array, or behind one that is not first, with a slice between."""
    kinds = [_kind(element.slice, context) for element in node.slice]
    advanced = [i for i, kind in enumerate(kinds) if kind in ("int", "array")]
    if "array" not in kinds or "int" not in kinds or None in kinds or "new" in kinds:
        return False
    gap = any(kinds[i] == "slice" for i in range(advanced[0], advanced[-1]))
    return gap and kinds[0] != "array"


def _kind(part: cst.BaseSlice, context: Context) -> str | None:
    """ "int", "array", "slice" or "new"; None when it is not known."""
    if not isinstance(part, cst.Index):
        return "slice"
    value = context.value(part.value)
    if isinstance(value, Const):
        return (
            "slice"
            if value.value is ...
            else "new"
            if value.value is None
            else "int"
            if constant(value, int) is not None
            else None
        )
    if isinstance(value, Scalar):
        return "int" if value.type == "int" else None
    array: Array | None = as_array(value)
    if array is not None:
        return None if array.rank is None or array.dtype == "bool_" else "int" if array.rank == 0 else "array"
    return "array" if isinstance(value, Sequence) and value.kind == "list" and value.items else None


def _is_nested(node: cst.BaseExpression) -> bool:
    return (
        isinstance(node, cst.List)
        and len(node.elements) > 1
        and all(isinstance(e.value, cst.List) for e in node.elements)
    )
