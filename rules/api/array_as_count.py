from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.values import Array
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules._operations import operation

COUNTS = {  # where an operation takes an int, its subject not counted; tried with each
    "repeat": (0, "repeats"), "topk": (0, "k"), "argpartition": (0, "kth"), "partition": (0, "kth"),
    "linspace": (1, "num"), "random.categorical": (None, "num_samples"),
}  # fmt: skip
SHAPES = {
    "broadcast_to": (0, "shape"), "reshape": (0, "shape"), "tile": (0, "reps"), "unflatten": (1, "shape"),
    "as_strided": (0, "shape"), "random.normal": (None, "shape"), "random.uniform": (None, "shape"),
    "random.randint": (1, "shape"), "random.bernoulli": (0, "shape"), "random.categorical": (None, "shape"),
}  # fmt: skip
FIRST_SHAPES = frozenset({"zeros", "ones", "full", "random.normal"})  # their subject is the shape
FIRST_COUNTS = frozenset({"eye", "identity", "tri"})
NAMES = frozenset({*COUNTS, *SHAPES, *FIRST_SHAPES, *FIRST_COUNTS})


class ArrayAsCount(Rule):
    """An array where MLX counts

    ## What it does
    Finds arrays given as `repeats`, `k`, `num` and among the sizes of a shape. It is an error where the array is of
    floating point or has axes, and a note where it may be a single integer.

    ## PyTorch and MLX
    PyTorch takes 0-d tensors for numbers. MLX takes an array for an int only where it is a single integer, and
    evaluates it on the spot; in a function that is compiled or mapped by `mx.vmap` it raises. One of floating point or
    with axes raises everywhere. The number of rows is `x.shape[0]`; a number in an array is taken out by `item()`.

    ## Example
    ```python
    import mlx.core as mx

    depths = mx.array([2.0, 3.0])
    limits = mx.repeat(mx.array([1e10]), depths, axis=0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    depths = mx.array([2.0, 3.0])
    limits = mx.repeat(mx.array([1e10]), depths.shape[0], axis=0)
    ```

    ## References
    - [mlx.core.repeat](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.repeat.html)
    """

    code = "MLX493"
    kind = Kind.CRASH
    severity = Severity.ERROR
    yields_to = ("argument-type",)
    calls = frozenset(name.rpartition(".")[2] for name in NAMES)
    message = "`{callee}` counts with `{array}`, an array{why}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, NAMES)
        if found is None or found.starred:
            return
        name = found.name
        counted = [found.subject] if name in FIRST_COUNTS and not found.is_method else []
        counted += [given for place in (COUNTS.get(name),) if place and (given := found.argument(*place)) is not None]
        shaped = [found.subject] if name in FIRST_SHAPES else []
        shaped += [given for place in (SHAPES.get(name),) if place and (given := found.argument(*place)) is not None]
        for given in [*counted, *(size for shape in shaped for size in _sizes(shape))]:
            array = context.array(given)
            if array is not None:
                self._report(given, array, f"mx.{name}", context)
                return

    def _report(self, node: cst.BaseExpression, array: Array, callee: str, context: Context) -> None:
        kind = "float" if array.dtype in dtypes.FLOATS else "axes" if array.rank else "integer"
        why = {"float": " of floating point, which raises", "axes": " with axes, which raises"}.get(
            kind, ": it is evaluated on the spot, and raises in a compiled function"
        )
        severity = Severity.INFO if kind == "integer" else None
        repro = {"what": kind}
        context.report(self, node, because=[node], severity=severity, callee=callee, array=context.brief(node), why=why,
                       repro=repro)  # fmt: skip

    @staticmethod
    def repro(what: Literal["float", "axes", "integer"] = "axes") -> Evidence:
        import mlx.core as mx

        counts = {"float": mx.array(2.0), "axes": mx.array([1, 2]), "integer": mx.array(2)}
        x, run = mx.array([1.0, 2.0]), lambda x, n: mx.repeat(x, n)
        hazard = raises(lambda: (mx.compile(run) if what == "integer" else run)(x, counts[what]), TypeError)
        return Evidence(hazard, agrees(mx.repeat(x, 2), [1.0, 1.0, 2.0, 2.0]))


def _sizes(shape: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """What a shape is written with."""
    if isinstance(shape, (cst.Tuple, cst.List)):
        yield from (element.value for element in shape.elements if isinstance(element, cst.Element))
