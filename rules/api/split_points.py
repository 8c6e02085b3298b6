from __future__ import annotations

import re
from typing import Optional

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import CERTAIN, LIKELY, Sequence, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises
from mlxlint.rules._operations import Operation, operation

SPLIT = frozenset({"split"})
SIZE = re.compile(r"size|length|width|hidden|_dims?$|^dims?$|embd|channels|sections$")


class SplitPoints(Rule):
    """Giving `mx.split` sizes

    ## What it does
    Finds `split` given the size of each piece, or a list of sizes: by the number of names the result is unpacked into, by
    what is known of the axis, and by names such as `head_dim` and `chunk_size`.

    ## PyTorch and MLX
    `torch.split(x, n)` makes pieces of size n, and a list holds the sizes. `mx.split(x, n)` makes n equal pieces, as NumPy,
    and a list holds the places where to cut.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 5))
    prices, times = mx.split(x, [3, 2], axis=1)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros((4, 5))
    prices, times = mx.split(x, [3], axis=1)
    ```

    ## References
    - [mlx.core.split](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.split.html)
    """

    code = "MLX462"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`mx.split` takes {meaning}: {problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, SPLIT)
        given = None if found is None or found.starred else found.argument(0, "indices_or_sections")
        if found is None or given is None:
            return
        value = context.value(given)
        listed = isinstance(value, Sequence)
        problem = _of_list(node, given, value, found, context) if isinstance(value, Sequence) else _of_count(node, given, found, context)
        if problem is None:
            return
        text, confidence = problem
        meaning = "the places where to cut, not sizes" if listed else "the number of pieces, not their size"
        context.report(
            self, node, because=[found.subject], confidence=confidence, meaning=meaning, problem=text,
            severity=Severity.ERROR if confidence == CERTAIN else Severity.WARNING,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.zeros((4, 5))

        def unpack() -> mx.array:
            first, second = mx.split(x, [3, 2], axis=1)
            return first + second

        return Evidence(raises(unpack, ValueError), agrees(mx.split(x, [3], axis=1)[1], mx.zeros((4, 2))))


def _targets(node: cst.Call, context: Context) -> Optional[int]:
    """How many names the result is unpacked into."""
    parent = context.parent(node)
    target = parent.targets[0].target if isinstance(parent, cst.Assign) and parent.value is node else None
    if isinstance(target, (cst.Tuple, cst.List)) and not any(isinstance(e, cst.StarredElement) for e in target.elements):
        return len(target.elements)
    return None


def _length(found: Operation, context: Context) -> Optional[int]:
    """The size of the axis that is split, where it is known."""
    array, axis = context.array(found.subject), found.argument(1, "axis")
    at = 0 if axis is None else constant(context.value(axis), int)
    if array is None or array.shape is None or not isinstance(at, int) or not -len(array.shape) <= at < len(array.shape):
        return None
    size = array.shape[at]
    return size if isinstance(size, int) else None


def _of_count(node: cst.Call, given: cst.BaseExpression, found: Operation, context: Context) -> Optional[tuple[str, int]]:
    count, targets, length = constant(context.value(given), int), _targets(node, context), _length(found, context)
    text = context.brief(given)
    if isinstance(count, int):
        if targets is not None and targets != count:
            return f"{count} pieces are unpacked into {targets} names", CERTAIN
        if length is not None and count > 0 and length % count:
            return f"the axis of {length} has no {count} equal pieces", CERTAIN
    named = SIZE.search((dotted(given) or "").rpartition(".")[2].lower())
    if named and not (targets is not None and count == targets):
        into = f" and the result is unpacked into {targets} names" if targets is not None else ""
        return f"`{text}` is called a size{into}", LIKELY
    if targets is not None and count is None and dotted(given) is not None and targets > 1:
        return f"`{text}` pieces are unpacked into {targets} names", LIKELY
    if isinstance(given, cst.BinaryOperation) and isinstance(given.operator, cst.FloorDivide) and targets is not None:
        if constant(context.value(given.right), int) == targets:
            return f"`{text}` is the size of one of {targets} pieces", LIKELY
    return None


def _of_list(
    node: cst.Call, given: cst.BaseExpression, value: Sequence, found: Operation, context: Context
) -> Optional[tuple[str, int]]:
    targets, length = _targets(node, context), _length(found, context)
    items = value.items
    if items is not None and targets is not None and len(items) == targets:
        return f"{targets} cuts make {targets + 1} pieces, unpacked into {targets} names", CERTAIN
    numbers = [constant(item, int) for item in items or ()]
    if numbers and None not in numbers:
        known = [n for n in numbers if isinstance(n, int)]
        if length is not None and len(known) > 1 and sum(known) == length and known != sorted(set(known)):
            return f"`{context.brief(given)}` adds up to the axis of {length}", CERTAIN
        if known != sorted(known) and min(known) >= 0:
            return f"`{context.brief(given)}` does not increase", CERTAIN
        if len(set(known)) < len(known):
            return f"`{context.brief(given)}` cuts twice at one place", LIKELY
    name = (dotted(given) or dotted(_listed(given)) or "").rpartition(".")[2].lower()
    if items is None and SIZE.search(name):
        return f"`{context.brief(given)}` is called sizes", LIKELY
    return None


def _listed(node: cst.BaseExpression) -> Optional[cst.BaseExpression]:
    """The array behind ``lengths.tolist()``."""
    is_list = isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "tolist"
    return node.func.value if is_list and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
