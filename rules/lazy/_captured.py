"""What a compiled function takes from around it, and what happens to that between its calls."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Partial

from ._compile import COMPILE, Compiled

Binding = cst.Assign | cst.AnnAssign | cst.AugAssign | cst.For | cst.CompFor | cst.NamedExpr


def free_paths(code: FunctionCode) -> set[str]:
    """The names, dotted ones too, that a function reads and does not bind itself: `model`, `config.scale`."""
    bound = {parameter.name.value for parameter in code.parameters}
    read: set[str] = set()
    labels: set[cst.CSTNode] = set()  # names that are not read: of keywords and of attributes
    for node in walk(code.node.body):
        if isinstance(node, (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr)):
            bound |= {name for target in targets_of(node) for name in _names(target)}
        elif isinstance(node, cst.Param):
            bound.add(node.name.value)
        elif isinstance(node, cst.Arg) and node.keyword is not None:
            labels.add(node.keyword)
        elif isinstance(node, cst.Attribute):
            labels.add(node.attr)
        path = dotted(node) if isinstance(node, (cst.Name, cst.Attribute)) and node not in labels else None
        if path is not None:
            read.add(path)
    return {path for path in read if path.partition(".")[0] not in bound}


def targets_of(node: cst.CSTNode) -> list[cst.BaseExpression]:
    """What a statement binds or writes to."""
    if isinstance(node, cst.Assign):
        return [target.target for target in node.targets]
    if isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr)):
        return [node.target]
    return []


def _names(target: cst.BaseExpression) -> Iterator[str]:
    """The names that a target binds; writing to an item or an attribute binds none."""
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _names(element.value)
    elif isinstance(target, cst.StarredElement):
        yield from _names(target.value)


class Course:
    """The order in which the scope around a compilation calls the compiled function and changes what it reads."""

    def __init__(self, compiled: Compiled, context: Context) -> None:
        self.context = context
        scopes = (
            a for a in context.ancestors(compiled.node) if isinstance(a, (cst.FunctionDef, cst.Lambda, cst.Module))
        )
        self.scope = next((scope for scope in scopes if scope is not compiled.code.node), context.tree)
        self.nodes = list(context.walk(self.scope))
        self.places = {node: place for place, node in enumerate(self.nodes)}
        self.calls = [node for node in self.nodes if isinstance(node, cst.Call) and _calls(node, compiled, context)]

    def is_between_calls(self, change: cst.CSTNode) -> bool:
        """Whether the compiled function is called before a change and again after it."""
        place = self.places[change]
        loops = [a for a in self.context.ancestors(change) if isinstance(a, (cst.For, cst.While)) and a in self.places]
        again = any(call for loop in loops for call in self.calls if call in set(self.context.walk(loop)))
        before = any(self.places[call] < place for call in self.calls)
        after = any(self.places[call] > place for call in self.calls)
        return again or (before and after)


def _calls(node: cst.Call, compiled: Compiled, context: Context) -> bool:
    called = context.called(node)
    is_compiled = isinstance(called, Partial) and called.transform == COMPILE
    return is_compiled and context.function(called) is compiled.code
