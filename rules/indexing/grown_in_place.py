from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Shape
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs


class GrownInPlace(Rule):
    """An in-place operation that makes the array larger

    ## What it does
    Finds `x += y` where `y` is known to have more axes than `x`, or to be longer where `x` has one element. It is a
    warning in ports, and else a note.

    ## PyTorch and MLX
    PyTorch's in-place operations keep the shape of `x`, and raise when the result has another. In MLX `x += y`
    is `x = x + y` in this respect: `x` quietly takes the broadcast shape.

    ## Example
    ```python
    import mlx.core as mx

    bias = mx.zeros((3,))
    bias += mx.ones((8, 3))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    bias = mx.zeros((3,))
    bias += mx.ones((8, 3)).sum(axis=0)
    ```

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX119"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{array}` has the shape {before} and grows to {after} here"

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        target, added = context.array(node.target), context.array(node.value)
        if target is None or added is None or isinstance(node.target, cst.Subscript):
            return
        if isinstance(node.operator, cst.MatrixMultiplyAssign) or target.shape in (None, ()) or added.shape is None:
            return
        after = _grown(target.shape or (), added.shape)
        if after is not None:
            context.report_default(
                self, node, because=[node.target, node.value],
                array=context.brief(node.target), before=_text(target.shape or ()), after=_text(after),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, y = mx.zeros((3,)), mx.zeros((3,))
        x += mx.ones((2, 3))
        y += mx.ones((2, 3)).sum(axis=0)
        return Evidence(differs(x.ndim, 1, what="axes in MLX"), agrees(y, [2, 2, 2]))


def _grown(before: Shape, added: Shape) -> Shape | None:
    """The shape of the result where it surely is larger than ``before``."""
    if len(added) > len(before):
        more = added[: len(added) - len(before)]
        return (*more, *before) if all(size != 1 for size in more) else None
    aligned = (1,) * (len(before) - len(added)) + added
    after = tuple(b if a == 1 and b is not None else a for a, b in zip(before, aligned))
    grows = any(a == 1 and isinstance(b, int) and b > 1 for a, b in zip(before, aligned))
    return after if grows else None


def _text(shape: Shape) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
