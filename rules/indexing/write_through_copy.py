from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import LIKELY, POSSIBLE, Array, as_array
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
)
from mlxlint.rules.indexing._copies import copied_from


class WriteThroughCopy(Rule):
    """Writing to a slice or reshape in order to change the array it was taken from

    ## What it does
    Finds in-place writes (`s[...] = v`, `s += v`) to a name bound to a slice, reshape, transpose, split or `copy.copy`
    of an MLX array, or to a loop variable over an array's rows, where the array is used further on and the name is not.

    ## PyTorch and MLX
    In PyTorch such a name is a view: writing to it changes the array. In MLX it is an array of its own, and the
    write is lost.

    ## Example
    ```python
    import mlx.core as mx

    boxes = mx.ones((5, 4))
    xs = boxes[:, 0::2]
    xs -= 0.5
    print(boxes)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    boxes = mx.ones((5, 4))
    boxes[:, 0::2] -= 0.5
    print(boxes)
    ```

    ## Fix safety
    Where the name was bound to a slice, the fix writes it back below the write. It is unsafe: what the slice's
    index is made of may have changed in between, and the array is then written to although the copy may have been
    meant.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX104"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{name}` is a copy of `{source}` or of a part of it: writing to it leaves `{source}` as it was"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        if isinstance(node.target, cst.Name):
            self._check(node, node.target, False, context)
        elif isinstance(node.target, cst.Subscript) and isinstance(node.target.value, cst.Name):
            self._check(node, node.target.value, True, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if isinstance(target, cst.Subscript) and isinstance(target.value, cst.Name):
            self._check(node, target.value, True, context)

    def _check(self, node: cst.CSTNode, name: cst.Name, into: bool, context: Context) -> None:
        array = context.array(name)
        source = None if array is None else _source(array, context)
        if array is None or source is None:
            return
        if context.enclosing_function(array.node or node) is not context.enclosing_function(node):
            return  # the caller's slice, whose function says what it does with its argument
        root = dotted(source)
        if root is None or root == name.value:
            return
        scope = _scope(node, context)
        later = _later(node, name.value, array.node, scope, context)
        kept = "." in root or any(dotted(n) == root for n in later)
        if not kept and not _is_parameter(root, context, node):
            return
        if any(_is_written_back(n, name.value, root, context) for n in later):
            return
        read = any(isinstance(n, cst.Name) and n.value == name.value for n in later if not _is_written(n, context))
        confidence = LIKELY if not read or (into and "." in root) else POSSIBLE
        fix = _write_back(node, name, array.node, context)
        context.report(self, node, because=[source], confidence=confidence, name=name.value, source=root, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        x, y = mx.zeros((2, 2)), mx.zeros((2, 2))
        row = x[0]
        row += 5.0
        y[0] += 5.0
        return Evidence(differs(x, [[5, 5], [0, 0]]), agrees(y, [[5, 5], [0, 0]]))


def _source(array: Array, context: Context) -> cst.BaseExpression | None:
    """The expression of the array that this one would be a view of."""
    if array.op == "iteration" and isinstance(array.node, cst.BaseExpression):
        return array.node if as_array(context.value(array.node)) is not None else None
    return copied_from(array.node, context) or _shallow(array.node, context)


def _shallow(node: cst.CSTNode | None, context: Context) -> cst.BaseExpression | None:
    """What ``copy.copy`` copies: a tensor's copy shares its storage, an array's does not."""
    is_copy = isinstance(node, cst.Call) and len(node.args) == 1 and context.callee(node) == "copy.copy"
    return cst.ensure_type(node, cst.Call).args[0].value if is_copy else None


def _scope(node: cst.CSTNode, context: Context) -> cst.CSTNode:
    function = context.enclosing(node, cst.FunctionDef, within_function=False)
    return function.body if function is not None else context.tree


def _later(
    write: cst.CSTNode, name: str, origin: cst.CSTNode | None, scope: cst.CSTNode, context: Context
) -> list[cst.CSTNode]:
    """Names and attributes read after a write: below it, and in a loop around it also above it."""
    loop = context.enclosing(write, cst.For, cst.While)
    renewed = loop is not None and (origin is None or any(n is origin for n in walk(loop)))  # bound anew on each pass
    order = list(walk(scope))
    start = next((i for i, n in enumerate(order) if n is write), len(order))
    found = order[start + sum(1 for _ in walk(write)) :]
    if loop is not None:
        inside = {id(n) for n in walk(write)}
        found += [n for n in walk(loop) if id(n) not in inside and not (renewed and dotted(n) == name)]
    return [
        n
        for n in found
        if isinstance(n, (cst.Name, cst.Attribute)) and not _is_bound(n, context) and _is_same(n, name, scope, context)
    ]


def _is_same(node: cst.CSTNode, name: str, scope: cst.CSTNode, context: Context) -> bool:
    """Whether a name in a nested function is still the one of the scope, not one of its own."""
    function = context.enclosing(node, cst.FunctionDef, within_function=False)
    if not isinstance(node, cst.Name) or node.value != name or function is None or function.body is scope:
        return True
    return not any(isinstance(n, cst.Name) and n.value == name and _is_bound(n, context) for n in walk(function))


def _is_bound(node: cst.CSTNode, context: Context) -> bool:
    parent = context.parent(node)
    if isinstance(parent, cst.Element) and isinstance(context.parent(parent), (cst.Tuple, cst.List)):
        node, parent = parent, context.parent(context.parent(parent) or parent)
    return isinstance(parent, (cst.AssignTarget, cst.Param, cst.NameItem, cst.For)) or _is_attribute_name(node, context)


def _is_attribute_name(node: cst.CSTNode, context: Context) -> bool:
    parent = context.parent(node)
    return (isinstance(parent, cst.Attribute) and parent.attr is node) or (
        isinstance(parent, cst.Arg) and parent.keyword is node
    )


def _is_written_back(node: cst.CSTNode, name: str, root: str, context: Context) -> bool:
    """Whether a name read is the right side of ``root[...] = name``."""
    assignment = context.parent(node)
    if not isinstance(assignment, cst.Assign) or assignment.value is not node or dotted(node) != name:
        return False
    target = assignment.targets[0].target
    return isinstance(target, cst.Subscript) and dotted(target.value) == root


def _write_back(node: cst.CSTNode, name: cst.Name, origin: cst.CSTNode | None, context: Context) -> NodeFix | None:
    """Assign the slice, once written to, to the place that it was taken from."""
    if not isinstance(origin, cst.Subscript) or any(isinstance(n, cst.Call) for n in walk(origin)):
        return None
    line = f"{context.text(origin)} = {name.value}"
    return NodeFix("Write it back", [InsertStatement(node, line)], Applicability.UNSAFE)


def _is_written(node: cst.CSTNode, context: Context) -> bool:
    """Whether a name only stands where it is written to: ``s += v``, ``s[...] = v``."""
    parent = context.parent(node)
    if isinstance(parent, cst.AugAssign):
        return parent.target is node
    if isinstance(parent, cst.Subscript) and parent.value is node:
        above = context.parent(parent)
        return isinstance(above, cst.AssignTarget) or (isinstance(above, cst.AugAssign) and above.target is parent)
    return False


def _is_parameter(root: str, context: Context, node: cst.CSTNode) -> bool:
    code = context.enclosing_function(node)
    return code is not None and any(p.name.value == root for p in code.parameters)
