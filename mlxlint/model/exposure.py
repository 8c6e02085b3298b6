"""Which names the body of a loop may read as the pass before left them: those that it has not surely bound again."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from mlxlint.model.tree import children, walk

CHANGING = frozenset({"append", "extend", "insert", "set_dtype"})  # methods after which their object is another value
Block = Iterable[cst.CSTNode]
_STORING = frozenset({cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For})


def exposed(loop: cst.For | cst.While) -> frozenset[str] | None:
    """The names; None when what the body stores in attributes makes that hard to tell."""
    if any(_stores_attribute(node) for node in walk(loop.body)):
        return None
    found: set[str] = set()
    bound: set[str] = set()
    if isinstance(loop, cst.For):
        _bind(loop.target, bound, found)
    else:
        _read(loop.test, bound, found)
    _block(loop.body.body, bound, found)
    return frozenset(found)


def _stores_attribute(node: cst.CSTNode) -> bool:
    kind = type(node)
    if kind in _STORING:
        return any(type(part) is cst.Attribute for part in walk(node.target))  # type: ignore[attr-defined]
    method = node.func if kind is cst.Call else None  # type: ignore[attr-defined]
    return isinstance(method, cst.Attribute) and method.attr.value in CHANGING and type(method.value) is cst.Attribute


def _block(statements: Block, bound: set[str], found: set[str]) -> None:
    """Add what statements read before it is bound, and to ``bound`` what they surely bind."""
    for statement in statements:
        kind = type(statement)
        if kind is cst.SimpleStatementLine:
            _block(statement.body, bound, found)  # type: ignore[attr-defined]
        elif kind is cst.Assign:
            _read(statement.value, bound, found)  # type: ignore[attr-defined]
            for target in statement.targets:  # type: ignore[attr-defined]
                _bind(target.target, bound, found)
        elif kind in (cst.FunctionDef, cst.ClassDef):
            _read(statement, bound, found)
            bound.add(statement.name.value)  # type: ignore[attr-defined]
        else:
            _compound(statement, bound, found)


def _compound(statement: cst.CSTNode, bound: set[str], found: set[str]) -> None:
    """A statement whose blocks may be passed over, but for that of ``with``; any other is only read."""
    inner = bound if type(statement) is cst.With else set(bound)
    for part in children(statement):
        if isinstance(part, cst.BaseSuite):
            _block(part.body, inner, found)
        elif isinstance(part, (cst.Else, cst.If, cst.Finally, cst.ExceptHandler)):
            _compound(part, set(bound), found)
        elif isinstance(statement, cst.For) and part is statement.target:
            continue
        else:
            _read(part, inner, found)
        if isinstance(statement, cst.For) and part is statement.iter:
            _bind(statement.target, inner, found)


def _bind(target: cst.BaseExpression, bound: set[str], found: set[str]) -> None:
    if isinstance(target, cst.Name):
        bound.add(target.value)
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            _bind(element.value, bound, found)
    else:
        _read(target, bound, found)


def _read(node: cst.CSTNode, bound: set[str], found: set[str]) -> None:
    found.update(part.value for part in walk(node) if type(part) is cst.Name and part.value not in bound)
