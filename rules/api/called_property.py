from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules.api._names import Piece, in_place_of, operand

PROPERTIES = frozenset({"T", "dtype", "imag", "itemsize", "mT", "nbytes", "ndim", "real", "shape", "size"})


class CalledProperty(Rule):
    """A property of an array called like a method

    ## What it does
    Finds `x.size()`, `x.size(0)`, `x.shape()`, `x.ndim()`, `x.T()` and their like on MLX arrays.

    ## PyTorch and MLX
    `Tensor.size` is a method that gives the shape or one of its entries. In MLX, as in NumPy, `size` is the number of
    elements, an `int`, and calling it raises `TypeError: 'int' object is not callable`.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    batch = x.size(0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((2, 3))
    batch = x.shape[0]
    ```

    ## Fix safety
    Safe where the object is surely an array, unsafe where that rests on a convention.

    ## References
    - [mlx.core.array.shape](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.shape.html)
    """

    code = "MLX406"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.ALWAYS
    message = "`{name}` of an MLX array is a property, not a method{instead}"
    calls = frozenset("." + name for name in PROPERTIES)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute):
            return
        name = node.func.attr.value
        array = context.array(node.func.value) if name in PROPERTIES else None
        if array is None:
            return
        text = _meant(node, node.func, context)
        fix = None
        if text is not None:
            safety = Applicability.SAFE if array.confidence == CERTAIN else Applicability.UNSAFE
            fix = NodeFix(f"Replace by `{text}`", [Replace(node, text)], safety)
        instead = f": use `{text}`" if text is not None else ""
        context.report(self, node, because=[node.func.value], name=name, instead=instead, fix=fix, repro={"name": name})

    @staticmethod
    def repro(name: str = "size") -> Evidence:
        import mlx.core as mx

        x = mx.zeros((2, 3))
        return Evidence(raises(lambda: getattr(x, name)(), TypeError, ValueError), agrees(x.shape[0], 2))


def _meant(node: cst.Call, func: cst.Attribute, context: Context) -> str | None:
    """What stands for the call: the property, ``shape`` for ``size``, its entry where one is asked for."""
    name = func.attr.value
    text = context.text(node)
    if "#" in text or any(arg.star for arg in node.args):
        return None
    receiver = operand(Piece.of(func.value, context))
    if not node.args:
        return in_place_of(node, f"{receiver}.{'shape' if name == 'size' else name}", context)
    arg = node.args[0]
    if name not in ("size", "shape") or len(node.args) > 1 or (arg.keyword is not None and arg.keyword.value != "dim"):
        return None
    return f"{receiver}.shape[{context.text(arg.value)}]"
