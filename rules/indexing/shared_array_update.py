from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Insert,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
)
from mlxlint.rules._statements import block

_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_COMPOUND = (cst.For, cst.While, cst.If, cst.With, cst.Try, cst.TryStar)


class SharedArrayUpdate(Rule):
    """Changing an array that has a second name

    ## What it does
    Finds `b = a` followed by `b += v` or `b[...] = v` where `a` is used later on, and `old = a` followed by `a += v` or
    `a[...] = v` where `old` is.

    ## PyTorch and MLX
    MLX arrays are not immutable: `b += v` and `b[...] = v` change the array itself, and so every name of it, as in
    PyTorch. A port that drops `.clone()` because "MLX arrays are values" changes the original.

    ## Example
    ```python
    import mlx.core as mx

    original = mx.zeros((3,))
    changed = original
    changed += 1
    print(original, changed)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    original = mx.zeros((3,))
    changed = original + 1
    print(original, changed)
    ```

    ## Fix safety
    Unsafe: an array of its own is made where the name is bound, which other code may not expect.

    ## References
    - [Indexing arrays](https://ml-explore.github.io/mlx/build/html/usage/indexing.html)
    """

    code = "MLX110"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{name}` and `{other}` are one array: this changes `{other}` as well, which is used further on"
    targets = frozenset({cst.Subscript})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        target = node.target.value if isinstance(node.target, cst.Subscript) else node.target
        self._check(node, target, context)

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if isinstance(target, cst.Subscript):
            self._check(node, target.value, context)

    def _check(self, node: cst.CSTNode, target: cst.BaseExpression, context: Context) -> None:
        if not isinstance(target, cst.Name) or context.array(target) is None:
            return
        found = next(_shared(node, target.value, context), None)
        if found is None:
            return
        binding, other = found
        mx = context.alias("mlx.core")
        edits = [Insert(binding.value, f"{mx}.array("), Insert(binding.value, ")", after=True)]
        fix = (
            NodeFix("Copy the array", edits, Applicability.UNSAFE)
            if mx and isinstance(binding.value, cst.Name)
            else None
        )
        reason = [(f"`{context.brief(binding)}` gives the array a second name", binding)]
        context.report(
            self, node, because=reason, confidence=Confidence.LIKELY, name=target.value, other=other, fix=fix
        )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        a, c = mx.zeros((2,)), mx.zeros((2,))
        b = a
        b += 1
        d = mx.array(c)
        d += 1
        return Evidence(differs(a, [0, 0], what="the original in MLX"), agrees(c, [0, 0]))


def _shared(node: cst.CSTNode, name: str, context: Context) -> Iterator[tuple[cst.Assign, str]]:
    """The statements above a place in its function that give an array two names, both of them needed below it."""
    below: list[cst.CSTNode] = []
    for statements, at in _levels(node, context):
        below += statements[at + 1 :]
        if isinstance(statements[at], (cst.For, cst.While)):
            below.append(statements[at])  # the next pass
        for place, binding in reversed(list(enumerate(statements[:at]))):
            other = _other_name(binding, name, context)
            if other is None or not isinstance(binding, cst.Assign):
                continue
            if not _renewed(statements[place + 1 : at + 1], {name, other}) and _read(below, other, context):
                if dotted(binding.value) == name or _read(below, name, context):
                    yield binding, other
            break


def _levels(node: cst.CSTNode, context: Context) -> Iterator[tuple[list[cst.CSTNode], int]]:
    """The statements of each block around a place in its function, innermost first, and the place of its own."""
    current: cst.CSTNode | None = node
    while current is not None and not isinstance(current, _SCOPES):
        statements, at = block(current, context)
        if at < len(statements):
            yield statements, at
        current = context.enclosing(statements[at] if at < len(statements) else current, *_COMPOUND)


def _other_name(statement: cst.CSTNode, name: str, context: Context) -> str | None:
    """The second name of an array that a statement gives one: `other` of `name = other` and of `other = name`."""
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1:
        return None
    target, value = dotted(statement.targets[0].target), dotted(statement.value)
    if target is None or value is None or target == value or context.array(statement.value) is None:
        return None
    if target == name:
        return value
    return target if value == name and "." not in target else None


def _renewed(statements: Sequence[cst.CSTNode], names: set[str]) -> bool:
    """Whether one of some names may be bound to another array in some statements."""
    bound = (n for statement in statements for n in walk(statement) if isinstance(n, (cst.AssignTarget, cst.For)))
    return any(dotted(each.target) in names for each in bound)


def _read(statements: Sequence[cst.CSTNode], name: str, context: Context) -> bool:
    """Whether a name is read in some statements before it is bound anew."""
    for statement in statements:
        found = [n for n in walk(statement) if isinstance(n, (cst.Name, cst.Attribute)) and dotted(n) == name]
        bound = [n for n in found if isinstance(context.parent(n), cst.AssignTarget)]
        if any(n not in bound and not _is_keyword(n, context) for n in found):
            return True
        if bound:
            return False
    return False


def _is_keyword(node: cst.CSTNode, context: Context) -> bool:
    parent = context.parent(node)
    return isinstance(parent, cst.Arg) and parent.keyword is node
