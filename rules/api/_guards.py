"""Code that asks before it uses a name: what it finds missing is no mistake."""

from __future__ import annotations

import re
from weakref import WeakKeyDictionary

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant

_ASKING = frozenset({"hasattr", "getattr", "setattr"})
_TELLING = re.compile("version|TYPE_CHECKING", re.IGNORECASE)
_ASKED: WeakKeyDictionary[Context, frozenset[str]] = WeakKeyDictionary()
_EXPECTING = frozenset({"AttributeError", "ImportError", "ModuleNotFoundError", "TypeError"})
_ANYTHING = frozenset({"Exception", "BaseException"})


def is_guarded(node: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a use stands where a missing name was thought of.

    That is in a ``try`` that catches it and does without, under a test of a version or of ``TYPE_CHECKING``, or
    anywhere in a file that asks for the name with ``hasattr`` or sets it with ``setattr``.
    """
    child = node
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, cst.Try) and child is ancestor.body and any(map(_catches, ancestor.handlers)):
            return True
        if isinstance(ancestor, (cst.If, cst.IfExp)) and _TELLING.search(context.text(ancestor.test)):
            return True
        child = ancestor
    return name in _asked_for(context)


def _asked_for(context: Context) -> frozenset[str]:
    """The names for which a file asks or that it sets by ``setattr``, anywhere."""
    if context not in _ASKED:
        calls = (
            node for node in context.module.calls if isinstance(node.func, cst.Name) and node.func.value in _ASKING
        )
        names = (constant(context.value(call.args[1].value), str) for call in calls if len(call.args) >= 2)
        _ASKED[context] = frozenset(name for name in names if isinstance(name, str))
    return _ASKED[context]


def _catches(handler: cst.ExceptHandler) -> bool:
    """Whether a handler is there for a missing name: one for anything, which raises again, is there to report."""
    if handler.type is None:
        return not _raises(handler)
    caught = (
        [element.value for element in handler.type.elements] if isinstance(handler.type, cst.Tuple) else [handler.type]
    )
    names = {kind.value for kind in caught if isinstance(kind, cst.Name)}
    return bool(names & _EXPECTING) or (bool(names & _ANYTHING) and not _raises(handler))


def _raises(handler: cst.ExceptHandler) -> bool:
    """Whether a handler ends by raising."""
    last = handler.body.body[-1] if handler.body.body else None
    return isinstance(last, cst.SimpleStatementLine) and isinstance(last.body[-1], cst.Raise)
