"""Code that asks before it uses a name: what it finds missing is no mistake."""

from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.model.values import constant

_ASKING = frozenset({"hasattr", "getattr", "setattr"})
_CATCHING = frozenset({"AttributeError", "ImportError", "ModuleNotFoundError", "TypeError", "Exception", "BaseException"})


def is_guarded(node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a use stands where a missing name was thought of.

    That is in a ``try`` that catches it, under a test of a version, or anywhere in a file that asks for the name with
    ``hasattr`` or sets it with ``setattr``.
    """
    child = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.Try) and child is ancestor.body and any(map(_catches, ancestor.handlers)):
            return True
        if isinstance(ancestor, (cst.If, cst.IfExp)) and "version" in context.text(ancestor.test).lower():
            return True
        child = ancestor
    return f'"{name}"' in context.module.text.replace("'", '"') and any(
        isinstance(call, cst.Call) and _asks_for(call, name, context) for call in walk(context.tree)
    )


def _catches(handler: cst.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = [element.value for element in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    return any(isinstance(kind, cst.Name) and kind.value in _CATCHING for kind in caught)


def _asks_for(call: cst.Call, name: str, context: Context) -> bool:
    asking = isinstance(call.func, cst.Name) and call.func.value in _ASKING and len(call.args) >= 2
    return asking and constant(context.value(call.args[1].value), str) == name
