from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Array, Const, as_array, constant
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    agrees,
    shown,
)
from mlxlint.rules._operations import Operation, operation, produced_by
from mlxlint.rules._shared import is_port
from mlxlint.rules.api._selections import in_order

SELECTIONS = frozenset({"topk", "argpartition", "partition"})
IN_ORDER = frozenset({"builtins.zip", "builtins.enumerate", "builtins.list"})


class UnorderedSelection(Rule):
    """Taking a partial selection as sorted

    ## What it does
    Finds results of `topk`, `argpartition` and `partition` that are used by position: one entry or a part of
    `topk`'s result (`[..., -1:]` as "the k-th largest"), its entries as a list. The first or last k of
    `argpartition` in place of a sorted top k are noted as information, since some uses do not depend on the order: the
    choice of experts whose scores are gathered along with them is left alone.

    ## PyTorch and MLX
    `torch.topk` returns the largest first. `mx.topk` is a partition: it returns the k largest in no particular
    order but for the smallest of them, which comes first: as a threshold (`logits < mx.topk(logits, k)[..., :1]`) it
    is left alone. `argpartition` only separates the k smallest from the rest.

    ## Example
    ```python
    import mlx.core as mx

    logits = mx.random.normal((2, 100))
    smallest_kept = mx.topk(logits, 10)[..., -1:]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    logits = mx.random.normal((2, 100))
    smallest_kept = mx.min(mx.topk(logits, 10), axis=-1, keepdims=True)
    ```

    For the k best in order, `mx.argsort(-logits, axis=-1)[..., :10]`.

    ## Fix safety
    The fix sorts the result of `topk` along the last axis, and selects with `argsort` in place of `argpartition`.
    It changes nothing but the order, at some cost; it is unsafe, because other uses of the result may not need
    that.

    ## References
    - [mlx.core.topk](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.topk.html)
    """

    code = "MLX452"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`mx.{operation}` does not sort: {use}"
    calls = frozenset({"tolist", "zip", "enumerate", "list"})

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        array = context.array(node.value)
        if array is None or not produced_by(array, *SELECTIONS) or not isinstance(array.node, cst.Call):
            return
        found = operation(array.node, context, SELECTIONS)
        part = None if found is None else _selected_part(node, found, array.rank, context)
        if found is None or part is None or not _picks(part, context):
            return
        if found.name != "topk":
            if isinstance(part, cst.Slice) and not _goes_along(node, context):
                use = f"`{context.brief(node)}` holds the selected in no particular order, not best first"
                fix = _whole_order(found, array.node, part, context)
                context.report(
                    self, node, because=[node.value], severity=Severity.INFO, operation=found.name, use=use, fix=fix
                )
        elif constant(context.value(found.argument(0, "k")), int) != 1 and not _is_threshold(node, part, context):
            self._report(node, context, f"`{context.brief(node)}` is not of a known rank", array)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee == "mlx.core.array.tolist":
            array = as_array(context.receiver(node))
        elif callee in IN_ORDER and node.args:
            array = next(
                (a for a in (context.array(arg.value) for arg in node.args) if produced_by(a or Array(), "topk")), None
            )
        else:
            return
        if array is not None and produced_by(array, "topk"):
            self._report(node, context, "this list is not the largest first", array)

    def visit_For(self, node: cst.For, context: Context) -> None:
        array = context.array(node.iter)
        if array is not None and produced_by(array, "topk"):
            self._report(node.iter, context, "the loop does not see the largest first", array)

    def _report(self, node: cst.CSTNode, context: Context, use: str, array: Array) -> None:
        confidence = Confidence.CERTAIN if array.confidence == CERTAIN else Confidence.LIKELY
        reason = [("the result of `mx.topk`", array.node)] if array.node is not None and array.node is not node else []
        fix = _sorted(array, context)
        context.report(self, node, because=reason, confidence=confidence, operation="topk", use=use, fix=fix)

    @staticmethod
    def repro(k: int = 3) -> Evidence:
        import mlx.core as mx

        x = mx.array([5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 7.0, 8.0])
        got, ordered = mx.topk(x, k).tolist(), mx.sort(x)[::-1][:k].tolist()
        hazard = shown(got != ordered, f"mx.topk: {got}, torch.topk: {ordered}")
        return Evidence(hazard, agrees(mx.min(mx.topk(x, k)), ordered[-1]))


def _sorted(array: Array, context: Context) -> NodeFix | None:
    """Sort the selected, the largest first."""
    call = array.node
    if not isinstance(call, cst.Call) or context.parent(call) is None:
        return None
    found = operation(call, context, SELECTIONS)
    text = None if found is None else in_order(found, call, context)
    return None if text is None else NodeFix("Sort the selected", [Replace(call, text)], Applicability.UNSAFE)


def _whole_order(found: Operation, call: cst.Call, part: cst.Slice, context: Context) -> NodeFix | None:
    """Select the first k by a whole ``argsort``."""
    core = context.alias("mlx.core")
    if found.name != "argpartition" or core is None or not _is_first_k(part) or context.parent(call) is None:
        return None
    axis = found.argument(1, "axis")
    if found.starred or not found.arguments.keywords.keys() <= {"kth", "axis"}:
        return None
    text = f"{core}.argsort({context.text(found.subject)}, axis={'-1' if axis is None else context.text(axis)})"
    return NodeFix("Sort all of them", [Replace(call, text)], Applicability.UNSAFE)


def _is_first_k(part: cst.Slice) -> bool:
    return part.lower is None and part.upper is not None


def _goes_along(node: cst.Subscript, context: Context) -> bool:
    """Whether what belongs to the selected is gathered in the same order, and they go nowhere by themselves."""
    function = context.enclosing_function(node)
    if function is None:
        return False
    names: set[str] = set()
    gathered = returned = False
    for found in context.walk(function.node.body):
        if isinstance(found, cst.Assign) and _mentions(found.value, node, names):
            target = found.targets[0].target
            names |= {target.value} if isinstance(target, cst.Name) else set()
        elif isinstance(found, cst.Call) and (context.callee(found) or "").endswith("_along_axis"):
            gathered |= any(_mentions(arg.value, node, names) for arg in found.args[1:])
        elif isinstance(found, cst.Return) and found.value is not None:
            parts = found.value.elements if isinstance(found.value, cst.Tuple) else [cst.Element(found.value)]
            returned |= any(isinstance(p.value, cst.Name) and p.value.value in names for p in parts)
    return gathered and not (returned and is_port(context))


def _mentions(expression: cst.CSTNode, node: cst.CSTNode, names: set[str]) -> bool:
    """Whether an expression is the selection: itself, by a name of it, or under ``stop_gradient``."""
    while isinstance(expression, cst.Call) and expression.args:
        expression = expression.args[0].value
    return expression is node or (isinstance(expression, cst.Name) and expression.value in names)


def _selected_part(node: cst.Subscript, found: Operation, rank: int | None, context: Context) -> cst.BaseSlice | None:
    """What a subscript asks of the axis along which the selection was made."""
    given = found.argument(1, "axis")
    axis = -1 if given is None else constant(context.value(given), int)
    if not isinstance(axis, int) or found.starred:
        return None
    parts: list[cst.BaseSlice | None] = [element.slice for element in node.slice]
    dots = next((i for i, p in enumerate(parts) if isinstance(p, cst.Index) and _is_ellipsis(p.value, context)), None)
    if rank is None and len(parts) == 1 and given is None and found.name != "topk":
        return parts[0]
    if rank is None:
        known = dots is not None if axis < 0 else dots is None
        return parts[axis] if (known or len(parts) > 1) and -len(parts) <= axis < len(parts) else None
    if dots is not None:
        parts[dots : dots + 1] = [None] * (rank - len(parts) + 1)
    return parts[axis % rank] if rank and axis % rank < len(parts) else None


def _picks(part: cst.BaseSlice, context: Context) -> bool:
    if isinstance(part, cst.Slice):
        return part.lower is not None or part.upper is not None
    value = context.value(part.value) if isinstance(part, cst.Index) else None
    return isinstance(value, Const) and isinstance(value.value, int)


def _is_threshold(node: cst.Subscript, part: cst.BaseSlice, context: Context) -> bool:
    """Whether this is the first entry, which is the k-th largest as a partition puts it there, and is compared with."""
    if isinstance(part, cst.Slice):
        is_first = part.upper is not None and constant(context.value(part.upper), int) == 1 and part.step is None
    else:
        is_first = isinstance(part, cst.Index) and constant(context.value(part.value), int) == 0
    if not is_first:
        return False
    function = context.enclosing_function(node)
    body = context.tree if function is None else function.node.body
    names: set[str] = set()
    for found in context.walk(body):
        if isinstance(found, cst.Assign) and any(inner is node for inner in context.walk(found.value)):
            names |= {target.target.value for target in found.targets if isinstance(target.target, cst.Name)}
    return any(
        inner is node or (isinstance(inner, cst.Name) and inner.value in names)
        for comparison in context.nodes(body, cst.Comparison)
        for inner in context.walk(comparison)
    )


def _is_ellipsis(node: cst.BaseExpression, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Const) and value.value is ...
