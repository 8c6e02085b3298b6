"""File names in the source: what suffix a path surely ends with."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.values import constant

_JOINING = frozenset({"os.path.join", "pathlib.Path", "builtins.str"})


def suffix(node: cst.BaseExpression | None, context: Context, depth: int = 4) -> str | None:
    """The suffix (``.pt``) of the path that an expression names; None when it is not written out."""
    if node is None or depth == 0:
        return None
    text = constant(context.value(node), str)
    if text is not None:
        return _of(text)
    if isinstance(node, cst.FormattedString):
        last = node.parts[-1] if node.parts else None
        return _of(last.value) if isinstance(last, cst.FormattedStringText) else None
    if isinstance(node, cst.Call) and context.callee(node) in _JOINING and node.args:
        return suffix(node.args[-1].value, context, depth - 1)
    if isinstance(node, cst.Call) and context.callee(node) == "builtins.str.replace" and len(node.args) == 2:
        return suffix(node.args[1].value, context, depth - 1)
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, (cst.Divide, cst.Add)):
        return suffix(node.right, context, depth - 1)
    if isinstance(node, cst.Name):
        return suffix(assigned(node, context), context, depth - 1)
    return None


def _of(text: str) -> str | None:
    name = text.rpartition("/")[2]
    return "." + name.rpartition(".")[2].lower() if "." in name else None


def assigned(name: cst.Name, context: Context) -> cst.BaseExpression | None:
    """What the only assignment to a name in its function (or module) gives it; None when there are more, or none."""
    found = assignments(name, context)
    return found[0] if len(found) == 1 else None


def assignments(name: cst.Name, context: Context) -> list[cst.BaseExpression]:
    """What the assignments to a name in its function (or module) give it."""
    function = context.enclosing_function(name)
    root: cst.CSTNode = context.tree if function is None else function.node.body
    return [
        node.value
        for node in tree.walk(root, (cst.FunctionDef, cst.Lambda, cst.ClassDef))
        if isinstance(node, cst.Assign)
        for target in node.targets
        if isinstance(target.target, cst.Name) and target.target.value == name.value
    ]
