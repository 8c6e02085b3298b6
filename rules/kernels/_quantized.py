"""What a function does with a model after it has quantised it."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk

QUANTIZE = frozenset({"mlx.nn.quantize", "mlx_lm.utils.quantize_model"})
CALLS = frozenset({"quantize", "quantize_model"})  # for `calls`


def quantized(node: cst.Call, context: Context) -> str | None:
    """The name, perhaps dotted, of the model that a call quantises."""
    return dotted(node.args[0].value) if node.args and context.callee(node) in QUANTIZE else None


def after(node: cst.Call, model: str, context: Context) -> Iterator[cst.CSTNode]:
    """What stands below the quantisation of a model in the same function, as far as it is the same model."""
    code = context.enclosing_function(node)
    passed = False
    for part in context.walk(context.tree if code is None else code.node.body):
        if passed and _replaces(part, model):
            return
        if passed and part is not node:
            yield part
        passed = passed or part is node


def _replaces(node: cst.CSTNode, model: str) -> bool:
    """Whether a name is bound to another model, or its layers are exchanged."""
    if isinstance(node, cst.Assign):
        return model in {dotted(target.target) for target in node.targets}
    return isinstance(node, cst.Call) and dotted(node.func) == f"{model}.update_modules"


def walked_names(node: cst.CSTNode, model: str, context: Context) -> set[str]:
    """The names that the loop around a node, or the comprehension, takes from the model."""
    for loop in context.ancestors(node):
        if isinstance(loop, (cst.For, cst.CompFor)) and any(dotted(part) == model for part in walk(loop.iter)):
            return {part.value for part in walk(loop.target) if isinstance(part, cst.Name)}
        if isinstance(loop, (cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp)):
            inner = loop.for_in
            if any(dotted(part) == model for part in walk(inner.iter)):
                return {part.value for part in walk(inner.target) if isinstance(part, cst.Name)}
        if isinstance(loop, (cst.FunctionDef, cst.Lambda)):
            break
    return set()
