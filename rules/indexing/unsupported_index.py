from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import dtypes
from mlxlint.model.foreign import NDARRAY, NUMPY_SCALAR, TENSOR
from mlxlint.model.values import Array, Const, Foreign, Scalar, Sequence, Value, members, scalar_type
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    Skipped,
    agrees,
    raises,
)
from mlxlint.rules._operations import operand

BOOL = "a Python bool"
LAST = {  # the last releases that do not take what newer ones do; a bool was taken for the index 0 or 1
    "a mask": "0.29.4", "a list of bools": "0.30.0", BOOL: "0.30.0", "a NumPy scalar": "0.31.1",
    "`...` alone": "0.32.0",
}  # fmt: skip
AS_NUMBER = "0.32.2"  # the last release whose arrays are no numbers to Python
NO_NUMBER = "`{index}` is an array, which is not taken for {place} up to MLX {last}"
SLICE = "a slice bounded by an array"
UNPACKED = "`{names}` are taken from an array as arrays, and bound a slice (`{index}`), which MLX does not take"
IN_OLDER = "`{array}` is indexed with {what} (`{index}`), which MLX does not take up to {last}"


class UnsupportedIndex(Rule):
    """An index of a type that MLX does not take

    ## What it does
    Finds MLX arrays indexed with a floating-point number or array, a NumPy integer array, a PyTorch tensor, a
    `range` or an empty list, or read with a Python bool, and slices whose bounds are arrays or floating-point numbers.

    ## PyTorch and MLX
    PyTorch takes NumPy arrays, `range` and 0-d tensors as slice bounds. MLX takes integers, slices, `None`, `...`,
    lists of integers and integer MLX arrays; anything else raises `ValueError`. Releases before 0.32 took less: where
    the project is to run on them, masks, lists of bools and `...` that are assigned to are found as well.

    ## Example
    ```python
    import mlx.core as mx

    frames = mx.zeros((30, 4))
    picked = frames[mx.linspace(0, 29, 5)]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    frames = mx.zeros((30, 4))
    picked = frames[mx.linspace(0, 29, 5).astype(mx.int32)]
    ```

    ## Fix safety
    Unsafe: floating-point indices are truncated, as PyTorch's `.long()` does.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX105"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{array}` is indexed with {what} (`{index}`), which MLX does not take"
    targets = frozenset({cst.Subscript})

    calls = frozenset({"range"})

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        self._check(node, False, context)
        part = node.slice[0].slice if len(node.slice) == 1 else None
        if isinstance(part, cst.Index) and context.target_mlx.reaches(AS_NUMBER):
            base = context.value(node.value)
            if isinstance(base, Sequence) and base.kind in ("list", "tuple"):
                self._check_number(part.value, "an index of Python's", context)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == "builtins.range" and context.target_mlx.reaches(AS_NUMBER):
            for arg in node.args:
                self._check_number(arg.value, "a bound of `range`", context)

    def _check_number(self, node: cst.BaseExpression, place: str, context: Context) -> None:
        """An array where Python wants an int, which older releases do not turn it into."""
        array = context.array(node)
        if array is not None and array.rank in (0, None):
            fix = NodeFix("Take the number out", [Replace(node, f"{operand(node, context)}.item()")])
            context.report(
                self, node, template=NO_NUMBER, because=[node], severity=Severity.WARNING, fix=fix, place=place,
                index=context.brief(node), last=AS_NUMBER, repro={"last": AS_NUMBER},
            )  # fmt: skip

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for target in node.targets:
            if isinstance(target.target, cst.Subscript):
                self._check(target.target, True, context)

    def _check(self, node: cst.Subscript, written: bool, context: Context) -> None:
        if context.array(node.value) is None:
            return
        older = _not_yet(node, written, context) if context.target_mlx.releases else None
        if older is not None:
            index, what, last = older
            context.report(
                self, index, template=IN_OLDER, because=[node.value], severity=Severity.WARNING, what=what, last=last,
                array=context.brief(node.value), index=context.brief(index), repro={"last": last},
            )  # fmt: skip
            return
        for index, what in _unsupported(node, context):
            if what == BOOL and written:
                return
            unpacked = _unpacked(index, context) if what == SLICE else None
            if unpacked is not None:
                self._report_unpacked(unpacked, index, context)
                return
            context.report(
                self, index, because=[node.value, index], what=what,
                array=context.brief(node.value), index=context.brief(index),
                fix=_fix(index, what, context),
            )  # fmt: skip
            return

    def _report_unpacked(self, made: cst.Assign, index: cst.BaseExpression, context: Context) -> None:
        if any(report.rule is self and report.node is made for report in context.reports):
            return  # one conversion mends all slices
        is_whole = isinstance(made.value, (cst.Name, cst.Attribute, cst.Subscript))
        edit = Insert(made.value, ".tolist()", after=True)
        context.report(
            self, made, template=UNPACKED, because=[made.value], names=context.brief(made.targets[0].target),
            index=context.brief(index),
            fix=NodeFix("Take the numbers out", [edit], Applicability.UNSAFE) if is_whole else None,
        )  # fmt: skip

    @staticmethod
    def repro(last: str = "") -> Evidence:
        import mlx.core as mx

        if last:
            raise Skipped(f"seen on releases up to {last}")
        x = mx.array([3, 4, 5])
        at = mx.array([0.0, 2.0])
        return Evidence(raises(lambda: x[at], ValueError), agrees(x[at.astype(mx.int32)], [3, 5]))


def _not_yet(node: cst.Subscript, written: bool, context: Context) -> tuple[cst.BaseExpression, str, str] | None:
    """An index that newer releases take: what it is, and the last release that does not."""
    for element in node.slice:
        part = element.slice
        indices = [part.value] if isinstance(part, cst.Index) else [part.lower, part.upper, part.step]  # type: ignore[attr-defined]
        for index in indices:
            value = context.value(index)
            kind = None
            if isinstance(value, Foreign) and value.type == NUMPY_SCALAR:
                kind = "a NumPy scalar"
            elif written and isinstance(part, cst.Index):
                kind = _kind_written(value, len(node.slice))
            if index is not None and kind is not None and context.target_mlx.reaches(LAST[kind]):
                return index, kind, LAST[kind]
    return None


def _kind_written(value: Value, count: int) -> str | None:
    if isinstance(value, Array):
        return "a mask" if value.dtype == "bool_" else None
    if isinstance(value, Sequence) and value.items:
        return "a list of bools" if all(scalar_type(item) == "bool" for item in value.items) else None
    if isinstance(value, Const) and value.value is ...:
        return "`...` alone" if count == 1 else None
    return BOOL if isinstance(value, (Const, Scalar)) and scalar_type(value) == "bool" else None


def _unsupported(node: cst.Subscript, context: Context) -> Iterator[tuple[cst.BaseExpression, str]]:
    for element in node.slice:
        part = element.slice
        if isinstance(part, cst.Index):
            found = {_index(member, part.value) for member in members(context.value(part.value))}
            what = found.pop() if len(found) == 1 else None
            if what is not None:
                yield part.value, what
        elif isinstance(part, cst.Slice):
            for bound in (part.lower, part.upper, part.step):
                what = _bound(context.value(bound), bound) if bound is not None else None
                if bound is not None and what is not None:
                    yield bound, what


def _index(value: Value, node: cst.BaseExpression) -> str | None:
    if isinstance(value, Array):
        return "an array of floating point" if value.dtype in dtypes.FLOATS else None
    if isinstance(value, Foreign):
        if value.type == TENSOR:
            return "a PyTorch tensor"
        whole = value.type == NDARRAY and value.dtype not in ("bool", "bool_") and value.shape != ()
        return "a NumPy array" if whole and (value.dtype is not None or (value.op or "").startswith("numpy.")) else None
    if isinstance(value, Sequence):
        if value.kind == "iterator" and isinstance(value.element, Scalar):
            return "a range"
        return "an empty list" if isinstance(node, cst.List) and not node.elements else None
    if isinstance(value, (Const, Scalar)) and scalar_type(value) == "bool":
        return BOOL
    return _number(node)


def _bound(value: Value, node: cst.BaseExpression) -> str | None:
    return SLICE if isinstance(value, Array) else _number(node)


def _unpacked(bound: cst.BaseExpression, context: Context) -> cst.Assign | None:
    """The statement of the same function that unpacks an array into the names that a bound is made of."""
    names = {part.value for part in context.nodes(bound, cst.Name)}
    function = context.enclosing_function(bound)
    for made in context.nodes(context.tree if function is None else function.node.body, cst.Assign):
        target = made.targets[0].target
        if isinstance(target, cst.Tuple) and context.array(made.value) is not None:
            if names & {getattr(element.value, "value", None) for element in target.elements}:
                return made
    return None


def _number(node: cst.BaseExpression) -> str | None:
    """A number with a fraction, as it is written: a literal, or a division."""
    if isinstance(node, cst.UnaryOperation):
        return _number(node.expression)
    divides = isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide)
    return "a floating-point number" if divides or isinstance(node, cst.Float) else None


def _fix(index: cst.BaseExpression, what: str, context: Context) -> NodeFix | None:
    mx = context.alias("mlx.core")
    if mx is None or not isinstance(index, (cst.Name, cst.Attribute, cst.Call, cst.Subscript)):
        return None
    if what == "an array of floating point":
        return NodeFix("Convert to int32", [Insert(index, f".astype({mx}.int32)", after=True)], Applicability.UNSAFE)
    if what == "a NumPy array":
        return NodeFix(
            "Convert to an MLX array", [Replace(index, f"{mx}.array({context.text(index)})")], Applicability.UNSAFE
        )
    if what == "a PyTorch tensor":
        text = f"{mx}.array({context.text(index)}.numpy())"
        return NodeFix("Convert to an MLX array", [Replace(index, text)], Applicability.UNSAFE)
    if what == SLICE:
        return NodeFix("Take the number out", [Insert(index, ".item()", after=True)], Applicability.UNSAFE)
    return None
