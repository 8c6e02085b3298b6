from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, POSSIBLE, Array, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises
from mlxlint.rules._operations import FUNCTION, METHOD, is_repeatable, operation
from mlxlint.rules.api._selections import ALONG_AN_AXIS, ALWAYS, PAIRS, indices_of, values_of

TAKING = frozenset({"take_along_axis", "put_along_axis", "take"})
TOPK = (f"{FUNCTION}topk", f"{METHOD}topk")
FLOATS = ("float", "bfloat")


class ValuesOnlyResult(Rule):
    """Taking values and indices from an operation that returns values only

    ## What it does
    Finds results of `topk`, `sort`, `cummax`, `cummin`, and of `max`, `min`, `median` along an axis, that are
    unpacked into two names, or of which `[0]` or `[1]` is taken as if they were a pair; and results of `topk` that are
    given to `take_along_axis`, `put_along_axis` or `take` as indices.

    ## PyTorch and MLX
    In PyTorch these return a pair of values and indices. In MLX they return one array, the values. Unpacking it walks
    over its first axis: it raises `ValueError` unless that axis has just as many entries as there are names, and then
    the rows are silently taken for values and indices. `[0]` and `[1]` pick a row likewise.

    ## Example
    ```python
    import mlx.core as mx

    scores = mx.random.normal((8, 100))
    best, where = mx.max(scores, axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    scores = mx.random.normal((8, 100))
    best = mx.max(scores, axis=1)
    where = mx.argmax(scores, axis=1)
    ```

    For `topk`, `indices = mx.argsort(-scores, axis=-1)[..., :k]` and `mx.take_along_axis(scores, indices, axis=-1)`.

    ## Fix safety
    The fix asks for what is used: the indices from `argmax`, `argmin` or `argsort`, the values from the operation
    itself, sorted for `topk`. It is unsafe: among equal values PyTorch may pick another index. There is none where
    values and indices are both used and a call in the arguments would be made twice.

    ## References
    - [mlx.core.max](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.max.html)
    """

    code = "MLX450"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`mx.{operation}` returns one array, the values: {use}"
    targets = frozenset({cst.Tuple, cst.List})
    calls = frozenset(TAKING)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, TAKING)
        given = None if found is None or found.starred else found.argument(0, "indices")
        array = context.array(given)
        made = array.node if array is not None and array.op in TOPK else None
        if given is None or not isinstance(made, cst.Call) or context.parent(made) is None:
            return
        subject = context.array(made.args[0].value if array is not None and array.op == TOPK[0] and made.args else None)
        of_integers = subject is not None and subject.dtype is not None and not subject.dtype.startswith(FLOATS)
        if not of_integers and not any(report.rule is self and report.node is made for report in context.reports):
            self._report(made, context, "topk", f"`{context.brief(given)}` are no indices", made, tried="indices")

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, (cst.Tuple, cst.List)) or len(target.elements) != 2:
            return
        array = context.array(node.value)
        if array is None or any(isinstance(element, cst.StarredElement) for element in target.elements):
            return
        name = _operation_of(array, context)
        if name is None or (name not in ("topk",) and array.shape is not None and array.shape[:1] == (2,)):
            return
        use = f"`{context.brief(target)}` unpacks its first axis, not values and indices"
        fix = _unpacked(target, node.value, context)
        self._report(node.value, context, name, use, node.value, fix=fix)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        if (
            not isinstance(node.value, cst.Call)
            or len(node.slice) != 1
            or not isinstance(node.slice[0].slice, cst.Index)
        ):
            return
        found = operation(node.value, context, PAIRS)
        at = constant(context.value(node.slice[0].slice.value), int)
        if found is None or at not in (0, 1):
            return
        subject, result = context.array(found.subject), context.array(node.value)
        if (
            result is None
            or result.rank == 0
            or (subject is not None and subject.rank == 1)
            or _operation_of(result, context) is None
        ):
            return
        if found.name == "sort" and (subject is None or subject.rank is None):
            return
        first_axis = constant(context.value(found.argument(1 if found.name == "topk" else 0, "axis")), int) == 0
        use = f"`[{at}]` picks row {at}, not the {'indices' if at else 'values'}"
        wanted = (values_of, indices_of)[at](found, node.value, context)
        fix = None if wanted is None else _fix([Replace(node, wanted)])
        self._report(node, context, found.name, use, found.subject, POSSIBLE if first_axis else LIKELY, fix)

    def _report(
        self,
        node: cst.CSTNode,
        context: Context,
        name: str,
        use: str,
        because: cst.CSTNode,
        confidence: int = 2,
        fix: NodeFix | None = None,
        tried: str | None = None,
    ) -> None:
        context.report(
            self, node, because=[because], confidence=confidence, operation=name, use=use, fix=fix,
            severity=Severity.ERROR if confidence == 2 else Severity.WARNING, repro={"name": tried or name},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "max") -> Evidence:
        import mlx.core as mx

        x = mx.array([[1.0, 3.0, 2.0], [6.0, 5.0, 4.0], [7.0, 9.0, 8.0]])

        def unpack() -> mx.array:
            if name == "indices":
                return mx.take(x, mx.topk(x, 2))
            values, _ = mx.topk(x, 2) if name == "topk" else getattr(mx, name)(x, axis=1)
            return values

        return Evidence(raises(unpack, ValueError), agrees(mx.argmax(x, axis=1), [1, 0, 1]))


def _unpacked(target: cst.Tuple | cst.List, value: cst.BaseExpression, context: Context) -> NodeFix | None:
    """Assign the values, the indices or both, whichever are used."""
    if not isinstance(value, cst.Call):
        return None
    found = operation(value, context, PAIRS)
    if found is None:
        return None
    names = [context.text(element.value) for element in target.elements]
    values, indices = values_of(found, value, context), indices_of(found, value, context)
    if names[1] == "_":
        return _fix([Replace(target, names[0]), Replace(value, values)]) if values else None
    if names[0] == "_":
        return _fix([Replace(target, names[1]), Replace(value, indices)]) if indices else None
    if values is None or indices is None or not is_repeatable(found.subject, *(arg.value for arg in value.args)):
        return None
    return _fix([Replace(value, f"{values}, {indices}")])


def _fix(edits: list[Replace]) -> NodeFix:
    return NodeFix("Ask for the values and the indices one by one", edits, Applicability.UNSAFE)


def _operation_of(array: Array, context: Context) -> str | None:
    """The operation that made an array, when it is one that PyTorch answers with a pair."""
    name = (array.op or "").removeprefix(METHOD).removeprefix(FUNCTION)
    if name in ALWAYS:
        return name
    if name in ALONG_AN_AXIS and isinstance(array.node, cst.Call):
        found = operation(array.node, context, ALONG_AN_AXIS)
        return name if found is not None and found.argument(0, "axis") is not None else None
    return None
