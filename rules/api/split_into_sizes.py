from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.model.values import CERTAIN, LIKELY, Sequence, Value, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._operations import Operation, operation

SPLIT = frozenset({"split"})
SIZE = re.compile(r"size|length|width|hidden|_dims?$|^dims?$|embd|channels|sections$")


class SplitIntoSizes(Rule):
    """Giving `mx.split` the sizes of the pieces

    ## What it does
    Finds `split` given the size of each piece, or a list of sizes: by what is known of the axis and by names such as
    `head_dim`, `chunk_size` and `lengths`.

    ## PyTorch and MLX
    `torch.split(x, n)` makes pieces of size n, and a list holds the sizes. `mx.split(x, n)` makes n equal pieces,
    as NumPy, and a list holds the places where to cut; cuts out of order give empty and overlapping pieces.

    ## Example
    ```python
    import mlx.core as mx

    parts = mx.split(mx.arange(5), [3, 2])
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    parts = mx.split(mx.arange(5), [3])
    ```

    For pieces of a size n, the places are `list(range(n, x.shape[axis], n))`.

    ## References
    - [mlx.core.split](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.split.html)
    """

    code = "MLX462"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`mx.split` takes {meaning}: {problem}"
    calls = SPLIT

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        found = operation(node, context, SPLIT)
        given = None if found is None or found.starred else found.argument(0, "indices_or_sections")
        if found is None or given is None or _is_unpacked(node, context):
            return
        value = context.value(given)
        listed = isinstance(value, Sequence) or _listed(given) is not None
        problem = (_of_list if listed else _of_count)(given, value, found, context)
        if problem is not None:
            text, confidence = problem
            text = text.format(given=context.brief(given))
            meaning = "the places where to cut, not sizes" if listed else "the number of pieces, not their size"
            context.report(self, node, because=[found.subject], confidence=confidence, meaning=meaning, problem=text)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x = mx.arange(5)
        hazard = differs(len(mx.split(x, [3, 2])), 2, what="MLX's pieces")
        return Evidence(hazard, agrees(len(mx.split(x, [3])), 2))


def _is_unpacked(node: cst.Call, context: Context) -> bool:
    parent = context.parent(node)
    return isinstance(parent, cst.Assign) and isinstance(parent.targets[0].target, (cst.Tuple, cst.List))


def _length(found: Operation, context: Context) -> int | None:
    """The size of the axis that is split, where it is known."""
    array, axis = context.array(found.subject), found.argument(1, "axis")
    at = 0 if axis is None else constant(context.value(axis), int)
    if (
        array is None
        or array.shape is None
        or not isinstance(at, int)
        or not -len(array.shape) <= at < len(array.shape)
    ):
        return None
    size = array.shape[at]
    return size if isinstance(size, int) else None


def _of_count(given: cst.BaseExpression, value: Value, found: Operation, context: Context) -> tuple[str, int] | None:
    count, length = constant(value, int), _length(found, context)
    if isinstance(count, int) and length is not None and count > 0 and length % count:
        return f"the axis of {length} has no {count} equal pieces", CERTAIN
    if SIZE.search((dotted(given) or "").rpartition(".")[2].lower()):
        return "`{given}` is called a size", LIKELY
    return None


def _of_list(given: cst.BaseExpression, value: Value, found: Operation, context: Context) -> tuple[str, int] | None:
    length = _length(found, context)
    items = value.items if isinstance(value, Sequence) else None
    numbers = [constant(item, int) for item in items or ()]
    known = [n for n in numbers if isinstance(n, int)]
    if known and len(known) == len(numbers):
        if length is not None and len(known) > 1 and sum(known) == length and known != sorted(set(known)):
            return f"`{{given}}` adds up to the axis of {length}", CERTAIN
        if known != sorted(known) and min(known) >= 0:
            return "`{given}` does not increase", CERTAIN
        return ("`{given}` cuts twice at one place", LIKELY) if len(set(known)) < len(known) else None
    named = (dotted(given) or dotted(_listed(given)) or "").rpartition(".")[2].lower()
    return ("`{given}` is called sizes", LIKELY) if items is None and SIZE.search(named) else None


def _listed(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """The array behind ``lengths.tolist()``."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "tolist":
        return node.func.value
    return None
