from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import LIKELY, POSSIBLE, UNKNOWN, Array, Const, Value, as_array, constant
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, differs
from mlxlint.rules._operations import is_same, produced_by

DISTINCT = ("arange", "argsort", "random.permutation", "unique", "argpartition")
AUGMENTED: dict[type[cst.BaseAugOp], str] = {
    cst.AddAssign: "add", cst.SubtractAssign: "subtract", cst.MultiplyAssign: "multiply", cst.DivideAssign: "divide",
}  # fmt: skip
OPERATORS: dict[type[cst.BaseBinaryOp], str] = {
    cst.Add: "add", cst.Subtract: "subtract", cst.Multiply: "multiply", cst.Divide: "divide",
}  # fmt: skip
_MANY = re.compile(r"(^|[._])(ids|indices|labels|segments|assignments|buckets|bins|src|dst)$")
SCALING = ("multiply", "divide", "maximum", "minimum")
POSITIONS = frozenset(f"numpy.{name}" for name in ("nonzero", "flatnonzero", "where", "arange", "argsort", "unique"))
FUNCTIONS = {f"mlx.core.{name}": name for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")}


class DuplicateIndexUpdate(Rule):
    """Accumulating at indices that may repeat

    ## What it does
    Finds `x[index] += v` and `x[index] = mx.maximum(x[index], v)` where `index` is an integer array that is not
    known to be free of duplicates, or is called by the plural (`labels`, `dst`) where nothing is known of it.

    ## PyTorch and MLX
    What PyTorch code does with `index_add_`, `scatter_add_`, `scatter_reduce_` or `bincount` needs every update to
    count. `x[index] += v` reads, adds and writes back: of several updates at one place only one remains.
    `x.at[index].add(v)` applies them all.

    ## Example
    ```python
    import mlx.core as mx

    counts = mx.zeros((3,))
    counts[mx.array([0, 2, 2])] += 1
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    counts = mx.zeros((3,))
    counts = counts.at[mx.array([0, 2, 2])].add(1)
    ```

    ## Fix safety
    Unsafe: the name is bound to a new array, so other names of the old one do not see the update.

    ## References
    - [mlx.core.array.at](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.array.at.html)
    """

    code = "MLX102"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{target}` is updated once for each distinct index: updates at repeated indices of `{index}` are lost"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        name = AUGMENTED.get(type(node.operator))
        if name is not None and isinstance(node.target, cst.Subscript):
            self._check(node, node.target, name, node.value, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Subscript) or len(node.targets) != 1:
            return
        found = _update(node.value, context)
        if found is not None:
            name, operand, value = found
            if isinstance(operand, cst.Subscript) and is_same(operand, target, context):
                self._check(node, operand, name, value, context)

    def _check(
        self, node: cst.CSTNode, target: cst.Subscript, name: str, value: cst.BaseExpression, context: Context
    ) -> None:
        array = context.array(target.value)
        index = None if array is None else _repeating(target, context)
        single = context.array(value) is None  # the same number for each place
        if index is None or (single and name in SCALING):
            return
        if single:
            added = context.value(value)
            many = added is UNKNOWN and (dotted(value) or "").endswith(("s", "src"))  # called by the plural too
            counts = constant(added, (int, float)) is not None or many
        else:
            counts = isinstance(node, cst.AugAssign) or name in SCALING
        confidence = _confidence(context.array(index)) if counts else POSSIBLE
        text = dotted(target.value)
        fix = None
        if text is not None:
            bare = context.concrete(target).with_changes(lpar=(), rpar=())
            where = context.text(bare)[len(context.text(target.value)) :]
            new = f"{text} = {text}.at{where}.{name}({context.text(value)})"
            fix = NodeFix(f"Apply every update with `.at[...].{name}`", [Replace(node, new)], Applicability.UNSAFE)
        context.report(
            self, target, because=[target.value, index], confidence=confidence, fix=fix,
            target=context.brief(target), index=context.brief(index),
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        index = mx.array([0, 2, 2])
        counts = mx.zeros((3,))
        counts[index] += 1
        return Evidence(differs(counts, [1, 0, 2]), agrees(mx.zeros((3,)).at[index].add(1), [1, 0, 2]))


def _update(value: cst.BaseExpression, context: Context) -> tuple[str, cst.BaseExpression, cst.BaseExpression] | None:
    """Operation, operand and other operand of ``mx.maximum(x[i], v)`` or ``x[i] + v``."""
    if isinstance(value, cst.BinaryOperation) and type(value.operator) in OPERATORS:
        return OPERATORS[type(value.operator)], value.left, value.right
    if isinstance(value, cst.Call) and len(value.args) == 2:
        name = FUNCTIONS.get(context.callee(value) or "")
        if name is not None:
            return name, value.args[0].value, value.args[1].value
    return None


def _repeating(target: cst.Subscript, context: Context) -> cst.BaseExpression | None:
    """The index in which entries may repeat; None when there is none, or another index keeps the places apart."""
    found = None
    for element in target.slice:
        if not isinstance(element.slice, cst.Index):
            continue
        value = context.value(element.slice.value)
        array = as_array(value)
        if array is None and not _repeats_literally(value) and not _is_called_many(element.slice.value, value):
            continue
        if array is not None and (array.dtype == "bool_" or array.rank == 0 or array.shape == (1,)):
            continue
        if array is not None and _distinct(array, context):
            return None
        found = element.slice.value
    return found


def _is_called_many(node: cst.BaseExpression, value: Value) -> bool:
    """Whether an index of which nothing is known is called by the plural: `labels`, `self.segment_ids`."""
    return value is UNKNOWN and _MANY.search(dotted(node) or "") is not None


def _repeats_literally(value: Value) -> bool:
    items = getattr(value, "items", None) if getattr(value, "kind", None) == "list" else None
    numbers = [constant(item, int) for item in items or ()]
    return bool(numbers) and None not in numbers and len(set(numbers)) < len(numbers)


def _distinct(array: Array, context: Context, depth: int = 4) -> bool:
    """Whether all entries surely differ: followed back to `arange`, `argsort` and the like, through what keeps that."""
    if produced_by(array, *DISTINCT):
        return True
    node = array.node
    if depth == 0 or node is None:
        return False
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Add, cst.Subtract)):
        sides = [context.value(node.left), context.value(node.right)]
        kept = [as_array(v) for v in sides]
        return any(
            a is not None and as_array(other) is None and _distinct(a, context, depth - 1)
            for a, other in zip(kept, reversed(sides))
        )
    if isinstance(node, cst.Subscript):
        inner = context.array(node.value)
        return inner is not None and _distinct(inner, context, depth - 1)
    if isinstance(node, cst.Call):
        inner_node = (
            node.func.value if isinstance(node.func, cst.Attribute) and context.array(node.func.value) else None
        )
        inner_node = inner_node or (node.args[0].value if node.args else None)
        if produced_by(array, "array"):
            if _is_of_positions(inner_node, context):
                return True
            items = getattr(context.value(inner_node), "items", None)
            return (
                items is not None
                and all(isinstance(i, Const) for i in items)
                and len({repr(i) for i in items}) == len(items)
            )
        if produced_by(array, "flatten") and produced_by(_unsliced(inner_node, context), "argsort", "argpartition"):
            return False  # distinct in each row only
        if produced_by(array, "astype", "reshape", "flatten", "stop_gradient", "sort", "squeeze", "expand_dims"):
            inner = context.array(inner_node)
            return inner is not None and _distinct(inner, context, depth - 1)
    return False


def _unsliced(node: cst.BaseExpression | None, context: Context) -> Value:
    """What an array was before parts of it were taken and its gradient was stopped."""
    value = context.value(node)
    for _ in range(4):
        origin = value.node
        if isinstance(origin, cst.Subscript):
            value = context.value(origin.value)
        elif isinstance(origin, cst.Call) and produced_by(value, "stop_gradient") and origin.args:
            value = context.value(origin.args[0].value)
        else:
            break
    return value


def _is_of_positions(node: cst.BaseExpression | None, context: Context) -> bool:
    """Whether values are positions that NumPy found, or the keys of a dict."""
    while isinstance(node, cst.Subscript):
        node = node.value
    bound = getattr(context.value(node), "node", None) if isinstance(node, cst.Name) else node
    if bound is None or any(isinstance(n, (cst.Modulo, cst.FloorDivide)) for n in walk(bound)):
        return False
    for call in walk(bound):
        name = (context.callee(call) or "") if isinstance(call, cst.Call) else ""
        if (name in POSITIONS and not _is_of_several_axes(bound, context)) or name.endswith(".keys"):
            return True
    return False


def _is_of_several_axes(bound: cst.CSTNode, context: Context) -> bool:
    """Whether positions are unpacked by axis, where each may repeat: ``rows, columns = np.nonzero(x)``."""
    parent = context.parent(bound)
    target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
    return isinstance(target, (cst.Tuple, cst.List)) and len(target.elements) > 1


def _confidence(index: Array | None) -> int:
    """An index of unknown rank may be a single position, above all one taken out of another array."""
    if index is None or index.rank is not None:
        return LIKELY
    return POSSIBLE if index.op in ("mlx.core.array.__getitem__", "iteration") else LIKELY
