from __future__ import annotations

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


class SharedArrayUpdate(Rule):
    """Changing an array that has a second name

    ## What it does
    Finds `b = a` followed by `b += v` or `b[...] = v` where `a` is used later on.

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
        binding = _binding(node, target.value, context)
        if binding is None or context.array(binding.value) is None or _renewed(binding, node, target.value, context):
            return
        other = dotted(binding.value)
        if other is None or other == target.value or not _read_later(node, other, context):
            return
        if not _read_later(node, target.value, context):
            return
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


def _binding(node: cst.CSTNode, name: str, context: Context) -> cst.Assign | None:
    """``name = other`` above in the same block."""
    statements, at = block(node, context)
    for statement in reversed(statements[:at]):
        if isinstance(statement, cst.Assign) and dotted(statement.targets[0].target) == name:
            return statement if dotted(statement.value) is not None else None
    return None


def _renewed(binding: cst.Assign, node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether either name may be bound to another array between the binding and the update."""
    names = {name, dotted(binding.value)}
    statements, at = block(node, context)
    first = next(i for i, statement in enumerate(statements) if statement is binding)
    between = (n for statement in statements[first + 1 : at] for n in walk(statement))
    return any(isinstance(n, (cst.AssignTarget, cst.For)) and dotted(n.target) in names for n in between)


def _read_later(node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a name is read in a statement further down in the block, before it is bound anew."""
    statements, at = block(node, context)
    for statement in statements[at + 1 :]:
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
