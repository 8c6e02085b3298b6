from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Array, Const, Scalar, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, shown

from ._sentinels import gathering, sentinel

OUT_OF_RANGE = frozenset({"builtins.IndexError", "builtins.LookupError"})


class UncheckedIndex(Rule):
    """Relying on the range check of an index

    ## What it does
    Finds MLX arrays indexed inside `try` with `except IndexError`, constant indices beyond a known size, and arrays
    of indices into which a negative number is filled (`mx.where(padding, -100, labels)`) and that gather unguarded.

    ## PyTorch and MLX
    PyTorch raises `IndexError` for an index out of range, and `torch.gather` for every negative one. MLX does not
    check: a read returns whatever lies in memory there, an assignment may overwrite it, and the handler never runs.
    Negative numbers count from the end.

    ## Example
    ```python
    import mlx.core as mx

    table = mx.zeros((10, 4))


    def look_up(i: int):
        try:
            return table[i]
        except IndexError:
            return table.mean(axis=0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    table = mx.zeros((10, 4))


    def look_up(i: int):
        return table[i] if i < table.shape[0] else table.mean(axis=0)
    ```

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX106"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "MLX checks no index: {problem}"
    targets = frozenset({cst.Subscript})
    calls = frozenset({"take", "take_along_axis"})

    def visit_Try(self, node: cst.Try, context: Context) -> None:
        if not any(_catches(handler, context) for handler in node.handlers):
            return
        for found in context.walk(node.body):
            if (
                isinstance(found, cst.Subscript)
                and context.array(found.value) is not None
                and _by_number(found, context)
            ):
                problem = f"`{context.brief(found)}` raises no IndexError when it is out of range"
                context.report(self, found, because=[found.value], problem=problem)
                return

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        self._check(node, "reads", context)
        if context.array(node.value) is not None:
            for element in node.slice:
                if isinstance(element.slice, cst.Index) and isinstance(context.value(element.slice.value), Array):
                    self._check_sentinel(element.slice.value, context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        for index in gathering(node, context):
            self._check_sentinel(index, context)

    def _check_sentinel(self, index: cst.BaseExpression, context: Context) -> None:
        found = sentinel(index, context)
        if found is not None:
            array, number = found
            problem = f"`{context.brief(array)}` holds {number}, which is an index as any other"
            context.report(
                self, index, because=[array], confidence=Confidence.LIKELY, problem=problem, repro={"index": -1}
            )

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, "writes", context)

    def _check(self, node: cst.Subscript, verb: str, context: Context) -> None:
        array = context.array(node.value)
        beyond = None if array is None or array.shape is None else _beyond(node, array, context)
        if beyond is not None and not isinstance(context.parent(node), cst.Del):
            at, size = beyond
            problem = f"`{context.brief(node)}` {verb} beyond the axis of {size}"
            context.report(
                self, node, because=[node.value], confidence=CERTAIN, severity=Severity.ERROR, problem=problem,
                repro={"index": at, "written": verb == "writes"},
            )  # fmt: skip

    @staticmethod
    def repro(index: int = 3, written: bool = False) -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0, 3.0])
        if index < 0:
            gathered, at = mx.take(x, mx.array([index])), mx.array([index])
            hazard = shown(gathered.item() == x[index].item(), f"{index} gathers {gathered.item()}, from the end")
            return Evidence(hazard, agrees(mx.where(at < 0, 0.0, mx.take(x, mx.maximum(at, 0))), [0.0]))
        beyond = max(3, min(abs(index), 4))
        try:
            if written:
                x[beyond] = 9.0
            mx.eval(x if written else x[beyond])
            hazard = shown(True, "no exception for an index beyond the end")
        except IndexError as error:
            hazard = shown(False, f"IndexError: {error}")
        return Evidence(hazard, agrees(x[2] if x.shape[0] > 2 else x.mean(), 3.0))


def _catches(handler: cst.ExceptHandler, context: Context) -> bool:
    kinds = [e.value for e in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    return any(context.qualified(kind) in OUT_OF_RANGE for kind in kinds if kind is not None)


def _by_number(node: cst.Subscript, context: Context) -> bool:
    """Whether an index may be a single integer: not a slice and nothing known to be otherwise."""
    values = [context.value(e.slice.value) for e in node.slice if isinstance(e.slice, cst.Index)]
    return any(
        not isinstance(v, (Const, Scalar)) or constant(v, int) is not None or getattr(v, "type", None) == "int"
        for v in values
    )


def _beyond(node: cst.Subscript, array: Array, context: Context) -> tuple[int, int] | None:
    """The first constant index outside its axis, and the size of that axis."""
    for axis, element in enumerate(node.slice):
        value = context.value(element.slice.value) if isinstance(element.slice, cst.Index) else None
        if isinstance(value, Const) and (value.value is None or value.value is ...):
            return None
        size = array.shape[axis] if array.shape is not None and axis < len(array.shape) else None
        at = None if value is None else constant(value, int)
        if isinstance(at, int) and isinstance(size, int) and size > 0 and not -size <= at < size:
            return at, size
    return None
