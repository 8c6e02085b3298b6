"""A small model of what a loop (or a function) does with arrays: what it computes, carries along and evaluates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Listed
from functools import cached_property
from typing import TypeVar

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import FunctionCode, ModuleCode
from mlxlint.model.values import (
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Function,
    Instance,
    Name,
    Partial,
    Scalar,
    Sequence,
    Tree,
    Unknown,
    Value,
    constant,
    members,
)

from ._gradients import TRANSFORMS, is_module
from ._optimizers import as_optimizer

N = TypeVar("N", bound=cst.CSTNode)
Loop = cst.For | cst.While | cst.ListComp | cst.GeneratorExp | cst.SetComp | cst.DictComp
SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
EVAL = frozenset({"mlx.core.eval", "mlx.core.async_eval"})
SAVING = re.compile(r"mlx\.core\.save|\.save_weights$|^mlx_lm\.")
READING = frozenset({"item", "tolist", "numpy", "__array__", "__float__", "__int__", "__bool__"})
BUILTINS = frozenset(
    f"builtins.{name}" for name in "bool complex float format int max min print repr round sorted str any all".split()
)
LAZY_ROOTS = frozenset(
    {
        "mlx",
        "builtins",
        "math",
        "functools",
        "itertools",
        "time",
        "copy",
        "typing",
        "dataclasses",
        "collections",
        "random",
    }
)
MODEL_LIKE = re.compile(
    r"(^|_)(model|net|network|encoder|decoder|unet|vae|backbone|generator|discriminator|critic|actor|policy|head|embed\w*|"
    r"layer|block|module|transformer|loss|loss_fn|criterion|forward|logits|features|encode|decode)s?$",
    re.IGNORECASE,
)
_UPDATING = re.compile(r"update\b"), re.compile("apply_gradients")  # one each: the search for a word is fast
FILLING = frozenset({"append", "extend", "insert", "add"})
SMALL = 4  # passes of a loop: what these leave unevaluated is no matter


def holds_arrays(value: Value) -> bool:
    """Whether a value is, or contains, MLX arrays for sure."""
    if isinstance(value, (Array, Tree)):
        return True
    if isinstance(value, Sequence):
        return holds_arrays(value.joined())
    if isinstance(value, Dict):
        return any(holds_arrays(item) for item in (*value.items.values(), value.element))
    return any(holds_arrays(member) for member in members(value) if member is not value)


def paths(node: cst.CSTNode) -> set[str]:
    """Every name and dotted name in an expression, and what these begin with: ``self.model.state``, ``self.model``."""
    found: set[str] = set()
    for part in tree.walk(node):
        if type(part) is cst.Name or type(part) is cst.Attribute:
            path = tree.dotted(part)
            if path is not None and path != "self":
                found.add(path)
    return found


def forced(call: cst.Call, called: Value, module: ModuleCode) -> list[cst.BaseExpression] | None:
    """The expressions whose arrays a call evaluates, as far as its name tells; None for a function of the project."""
    arguments = [arg.value for arg in call.args]
    if isinstance(called, (Function, Class)) or (isinstance(called, (Partial, Instance)) and not _is_foreign(called)):
        return None
    if isinstance(called, Name):
        short = called.name.rpartition(".")[2]
        if called.name in EVAL or _evaluates_leaves(called.name, call, module):
            return arguments
        if called.name in BUILTINS or SAVING.search(called.name):
            return [a for a in arguments if _may_hold(a, module)]
        if short in READING and isinstance(call.func, cst.Attribute):
            return [call.func.value]
        if called.receiver is None and called.name.partition(".")[0] in LAZY_ROOTS:
            return []
        if called.receiver is not None and _keeps_lazy(called.receiver):
            return []
        return [a for a in arguments if _may_hold(a, module)]
    if isinstance(called, Unknown):
        return _unknown(call, arguments, module)
    return []


def _evaluates_leaves(name: str, call: cst.Call, module: ModuleCode) -> bool:
    """Whether a call is ``tree_map(lambda leaf: mx.eval(leaf), tree)``."""
    function = call.args[0].value if name == "mlx.utils.tree_map" and call.args else None
    inner = function.body if isinstance(function, cst.Lambda) else None
    evaluated = module.calls.get(inner) if isinstance(inner, cst.Call) else None
    return isinstance(evaluated, Name) and evaluated.name in EVAL


def _keeps_lazy(receiver: Value) -> bool:
    return (
        holds_arrays(receiver)
        or isinstance(receiver, (Sequence, Dict, Const, Scalar))
        or is_module(receiver)
        or as_optimizer(receiver) is not None
    )


def _is_foreign(value: Value) -> bool:
    return isinstance(value, Instance) and value.code is None and not value.type.startswith("mlx.")


def _may_hold(node: cst.BaseExpression, module: ModuleCode) -> bool:
    value = module.values.get(node, UNKNOWN)
    return (
        holds_arrays(value)
        or (value is UNKNOWN and not isinstance(node, (cst.FormattedString, cst.Lambda)))
        or is_module(value)
    )


def _unknown(call: cst.Call, arguments: list[cst.BaseExpression], module: ModuleCode) -> list[cst.BaseExpression]:
    """What a call of something unknown may evaluate: all it is given, unless it looks like a model's call."""
    name = (
        call.func.attr.value
        if isinstance(call.func, cst.Attribute)
        else call.func.value
        if isinstance(call.func, cst.Name)
        else ""
    )
    if name in READING and isinstance(call.func, cst.Attribute):
        return [call.func.value]
    if MODEL_LIKE.search(str(name)):
        return []
    return [a for a in arguments if _may_hold(a, module)]


def is_update(called: Value) -> bool:
    """Whether what is called applies gradients: ``optimizer.update`` or ``optimizer.apply_gradients``."""
    return (
        isinstance(called, Name)
        and called.name.endswith((".update", ".apply_gradients"))
        and called.receiver is not None
        and (as_optimizer(called.receiver) is not None)
    )


def is_gradient_call(called: Value) -> bool:
    return isinstance(called, Partial) and called.transform in TRANSFORMS


def gradient_names(assign: cst.Assign, values: Mapping[cst.CSTNode, Value], called: Value) -> set[str]:
    """The paths that get gradients where an assignment unpacks what a call returns."""
    target, value = assign.targets[0].target, values.get(assign.value, UNKNOWN)
    if not isinstance(target, (cst.Tuple, cst.List)):
        is_tree = isinstance(value, Tree) and value.kind == "gradients"
        return paths(target) if is_tree or getattr(called, "transform", "") == "mlx.core.grad" else set()
    items = value.items if isinstance(value, Sequence) and value.items is not None else ()
    if getattr(called, "transform", "") in TRANSFORMS - {"mlx.core.grad"} and len(target.elements) == 2:
        return paths(target.elements[1].value)
    pairs = zip(target.elements, items) if len(items) == len(target.elements) else ()
    return {
        path for element, item in pairs if isinstance(item, Tree) and item.kind == "gradients"
        for path in paths(element.value)
    }  # fmt: skip


def is_fresh(call: cst.Call, context: Context) -> bool:
    """Whether a call computes gradients anew, itself or in a function of the project that does not add them up."""
    called = context.called(call)
    if is_gradient_call(called):
        return True
    code = context.function(called)
    inside = [] if code is None else [value for _, value, _ in context.calls(code.node.body)]
    return any(map(is_gradient_call, inside)) and not any(is_update(value) or _adds_up(value) for value in inside)


def _adds_up(called: Value) -> bool:
    return isinstance(called, Name) and called.name.startswith(("mlx.utils.tree_map", "mlx.core.add"))


def stored_gradients(call: cst.Call, context: Context) -> set[str]:
    """The attributes in which a method that is called on this very object keeps the gradients it computes."""
    code = context.function(context.called(call))
    is_own = code is not None and code.owner is not None and (tree.dotted(call.func) or "").startswith("self.")
    if code is None or not is_own or not is_fresh(call, context):
        return set()
    module, found = code.module, set()
    for assign in tree.walk(code.node.body, SCOPES):
        if isinstance(assign, cst.Assign) and isinstance(assign.value, cst.Call):
            found |= gradient_names(assign, module.values, module.calls.get(assign.value, UNKNOWN))
    kept = {path for path in found if path.startswith("self.")}
    mentions = [path for node in tree.walk(code.node.body, SCOPES) if (path := tree.dotted(node)) in kept]
    return {path for path in kept if mentions.count(path) == 1}


class Body:
    """The statements of a loop or a function, and what its arrays depend on."""

    def __init__(self, node: cst.CSTNode, context: Context) -> None:
        self.node = node
        self.context = context

    @cached_property
    def nodes(self) -> list[cst.CSTNode]:
        return list(tree.walk(self.node, SCOPES))

    def of(self, kind: type[N]) -> Listed[N]:
        """The nodes of exactly one class, in source order."""
        return self.context.nodes(self.node, kind)

    @cached_property
    def calls(self) -> list[tuple[cst.Call, Value, ModuleCode]]:
        """The calls in the body and in the project's functions called from there."""
        return list(self.context.calls(self.node))

    @cached_property
    def updates(self) -> list[cst.Call]:
        return [call for call, called, _ in self.calls if is_update(called)]

    @cached_property
    def may_differentiate(self) -> bool:
        """Whether a call computes gradients, or is of a function in a module that speaks of them."""
        return self._calls_directly(is_gradient_call) or any("grad" in text for text in self._texts)

    @cached_property
    def may_update(self) -> bool:
        """Whether a call applies gradients, or may do so: its module speaks of it, and one here of optimizers."""
        return self._calls_directly(is_update) or (
            any(word.search(text) for text in self._texts for word in _UPDATING)
            and any("optim" in text for text in (self.context.module.text, *self._texts))
        )

    def _calls_directly(self, does: Callable[[Value], bool]) -> bool:
        return any(does(self.context.called(call)) for call in self.of(cst.Call))

    @cached_property
    def _texts(self) -> set[str]:
        """The modules of the project's functions that the body calls."""
        codes = (self.context.function(self.context.called(call)) for call in self.of(cst.Call))
        return {code.module.text for code in codes if code is not None}

    @cached_property
    def yields(self) -> bool:
        return bool(self.of(cst.Yield) or self.of(cst.Await))

    @cached_property
    def calls_model(self) -> bool:
        """Whether the body itself calls a model."""
        return any(_is_model_call(call, self.context.called(call)) for call in self.of(cst.Call))

    def evaluates(self) -> bool:
        """Whether anything in the body, or called from it, evaluates arrays, or might."""
        found = [(call, called) for call, called, module in self.calls if forced(call, called, module)]
        if any(not isinstance(called, Unknown) for _, called in found):
            return True
        if self.reads() or any(self._tests_in(code) for code in self._helpers()):
            return True
        return bool(found) and not {id(call) for call, _ in found} <= self._in_layers()

    def _in_layers(self) -> set[int]:
        """The calls in methods of modules: what is unknown there is part of a forward pass, and taken to be lazy."""
        layers = (code for code in self._helpers() if code.owner is not None and code.owner.is_mlx_module)
        return {id(node) for code in layers for node in tree.walk(code.node.body, SCOPES) if isinstance(node, cst.Call)}

    def _helpers(self) -> Iterator[FunctionCode]:
        for _, called, _ in self.calls:
            code = self.context.function(called)
            if code is not None and not is_gradient_call(called):
                yield code

    def _tests_in(self, code: FunctionCode) -> bool:
        values = code.module.values
        return any(
            holds_arrays(values.get(part.expression, UNKNOWN))
            for part in tree.walk(code.node.body, SCOPES)
            if isinstance(part, cst.FormattedStringExpression)
        )

    def reads(self) -> bool:
        """Whether the body evaluates arrays without a call: in a condition or an f-string."""
        return any(True for _ in self._tested(self.nodes))

    def _tested(self, nodes: list[cst.CSTNode]) -> Iterator[cst.BaseExpression]:
        """Expressions whose arrays are evaluated without a call: conditions, and parts of f-strings."""
        for node in nodes:
            if isinstance(node, (cst.If, cst.While, cst.IfExp, cst.Assert)):
                for part in conditions(node.test):
                    if holds_arrays(self.context.value(part)):
                        yield part
            elif isinstance(node, cst.FormattedStringExpression) and holds_arrays(self.context.value(node.expression)):
                yield node.expression

    @cached_property
    def evaluated(self) -> set[str]:
        """The paths that are evaluated in the body itself, with all they depend on."""
        found: set[str] = set()
        for tested in self._tested(self.nodes):
            found |= paths(tested)
        for call in self.of(cst.Call):
            found |= self._evaluated_by(call)
        return self._closure(found)

    def _evaluated_by(self, call: cst.Call) -> set[str]:
        called = self.context.called(call)
        expressions = forced(call, called, self.context.module)
        if expressions is not None:
            return set().union(*(paths(e) for e in expressions)) if expressions else set()
        code = self.context.function(called)
        if (
            code is None
            or is_gradient_call(called)
            or not self.context.shared(Body, code.node.body)._evaluates_in(code.module)
        ):
            return set()
        targets = next((paths(a.targets[0].target) for a in self.of(cst.Assign) if a.value is call), set())
        return paths(call) | targets

    def _evaluates_in(self, module: ModuleCode) -> bool:
        return any(forced(call, called, where) for call, called, where in self.calls)

    @cached_property
    def dependencies(self) -> dict[str, set[str]]:
        """What each path that the body binds or fills is computed from."""
        found: dict[str, set[str]] = {}
        for _, path, source in self.flows:
            found.setdefault(path, set()).update(paths(source))
        return found

    @cached_property
    def flows(self) -> list[tuple[cst.CSTNode, str, cst.BaseExpression]]:
        """Every statement or call that binds or fills a path, with the path and what it gets."""
        flowing = [node for node in self.nodes if type(node) in _FLOWING]
        flows = [(node, _base(target), source) for node in flowing for target, source in _flows(node, self.context)]
        return [(node, path, source) for node, path, source in flows if path is not None]

    def feeds_itself(self, path: str) -> bool:
        """Whether a path is bound, by any way, to something computed from it; cheaper than following the statements."""
        return path in self._closure(self.dependencies.get(path, set()))

    def _closure(self, start: set[str]) -> set[str]:
        seen: set[str] = set()
        stack = list(start)
        while stack:
            path = stack.pop()
            if path not in seen:
                seen.add(path)
                stack += self.dependencies.get(path, ())
        return seen

    def carried(self, directly: bool = False) -> Iterator[tuple[cst.CSTNode, str, cst.BaseExpression]]:
        """Statements that bind or fill a path with something computed from its value in the last pass.

        Each as the statement, the path, and the new value. ``directly``: not by way of another path.
        """
        needs = self._needs
        for node, path, source in self.flows:
            if path in (needs.get(path, ()) if directly else _reached(path, needs)):
                yield node, path, source

    @cached_property
    def _needs(self) -> dict[str, set[str]]:
        """For each path bound in the body: the paths whose values at a pass's start its new one is computed from."""
        flow = _Flow(self.context)
        flow.block(self.node, {})
        return flow.computed

    def depends_on_module(self, source: cst.BaseExpression, loop_names: set[str]) -> bool:
        """Whether a value comes from calling a model that is the same in every pass."""
        wanted = self._closure(paths(source))
        for node in self.nodes:
            if not isinstance(node, cst.Call) or not _is_model_call(node, self.context.called(node)):
                continue
            if paths(node.func) & (loop_names | set(self.dependencies)):
                continue
            if any(part is node for part in tree.walk(source)) or self._bound_to(node) & wanted:
                return True
        return False

    def _bound_to(self, call: cst.Call) -> set[str]:
        """The paths bound by the statements of the body in which a call stands."""
        return {path for _, path, source in self.flows if any(part is call for part in tree.walk(source))}


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """What can be reached from a path in one pass or more."""
    seen: set[str] = set()
    stack = [start]
    while stack:
        for path in edges.get(stack.pop(), ()):
            if path not in seen:
                seen.add(path)
                stack.append(path)
    return seen


Sources = dict[str, set[str]]  # path -> paths whose values at the start of a pass its value is computed from


class _Flow:
    """Follows through the statements of one pass what is computed from what; branches are joined."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.computed: Sources = {}

    def block(self, node: cst.CSTNode, now: Sources) -> Sources:
        statements = node.body if isinstance(node, (cst.IndentedBlock, cst.SimpleStatementSuite)) else [node]
        for statement in statements:
            now = self.statement(statement, now)
        return now

    def statement(self, node: cst.CSTNode, now: Sources) -> Sources:
        if isinstance(node, SCOPES):
            return now
        if isinstance(node, cst.If):
            now = self.simple(node.test, now)
            other = now if node.orelse is None else self.statement(node.orelse, dict(now))
            return _joined(self.block(node.body, dict(now)), other)
        if isinstance(node, (cst.For, cst.While)):
            header = (
                {
                    path: {start for source in paths(node.iter) for start in now.get(source, {source})}
                    for path in paths(node.target)
                }
                if (isinstance(node, cst.For))
                else {}
            )
            return _joined(self.block(node.body, {**now, **header}), now)
        if isinstance(node, (cst.With, cst.Else, cst.Finally)):
            return self.block(node.body, now)
        if isinstance(node, cst.Try):
            now = _joined(self.block(node.body, dict(now)), now)
            for handler in node.handlers:
                now = _joined(self.block(handler.body, dict(now)), now)
            return now if node.finalbody is None else self.block(node.finalbody.body, now)
        return self.simple(node, now)

    def simple(self, node: cst.CSTNode, now: Sources) -> Sources:
        now = dict(now)
        for part in tree.walk(node, SCOPES):
            if type(part) not in _FLOWING:
                continue
            flows = [(target, _base(target), paths(source)) for target, source in _flows(part, self.context)]
            reads = [{start for path in mentioned for start in now.get(path, {path})} for _, _, mentioned in flows]
            for (target, path, _), read in zip(flows, reads):
                if path is None:
                    continue
                binds = isinstance(part, (cst.Assign, cst.AnnAssign, cst.NamedExpr)) and not isinstance(
                    target, cst.Subscript
                )
                now[path] = read if binds else read | now.get(path, {path})
                self.computed.setdefault(path, set()).update(now[path])
        return now


def _joined(a: Sources, b: Sources) -> Sources:
    return {path: a.get(path, {path}) | b.get(path, {path}) for path in {*a, *b}}


def _is_model_call(call: cst.Call, called: Value) -> bool:
    """Whether a model is called, or a method of a model that is not this object's own."""
    if isinstance(called, Instance):
        return is_module(called)
    own = (tree.dotted(call.func) or "").count(".") == 1 and (tree.dotted(call.func) or "").startswith("self.")
    return isinstance(called, Function) and called.receiver is not None and is_module(called.receiver) and not own


def conditions(node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expressions that a condition turns into booleans."""
    if isinstance(node, cst.UnaryOperation) and isinstance(node.operator, cst.Not):
        yield from conditions(node.expression)
    elif isinstance(node, cst.BooleanOperation):
        yield from conditions(node.left)
        yield from conditions(node.right)
    elif isinstance(node, cst.Comparison) and isinstance(node.comparisons[0].operator, (cst.Is, cst.IsNot)):
        return
    else:
        yield node


_FLOWING = frozenset({cst.Assign, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.Call})


def _flows(node: cst.CSTNode, context: Context) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """(what is bound or filled, from what) for one statement or call."""
    if isinstance(node, cst.Assign):
        for target in node.targets:
            yield from _pairs(target.target, node.value)
    elif isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr)):
        if node.value is not None:
            yield node.target, node.value
    elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        if node.func.attr.value in FILLING and node.args:
            yield node.func.value, node.args[-1].value
        elif node.func.attr.value == "update" and len(node.args) > 1 and is_update(context.called(node)):
            yield node.args[0].value, node.args[1].value
            yield node.func.value, node.args[1].value


def _pairs(
    target: cst.BaseExpression, value: cst.BaseExpression
) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    if not isinstance(target, (cst.Tuple, cst.List)):
        yield target, value
        return
    several = isinstance(value, (cst.Tuple, cst.List)) and len(value.elements) == len(target.elements)
    for i, element in enumerate(target.elements):
        yield from _pairs(element.value, value.elements[i].value if several else value)  # type: ignore[attr-defined]


def _base(target: cst.BaseExpression) -> str | None:
    """The path behind a target: ``x`` for ``x[i]`` and ``x.at[i]``."""
    while isinstance(target, cst.Subscript):
        target = target.value
    return tree.dotted(target)


def loop_names(loop: Loop) -> set[str]:
    """The names that a loop binds in each pass."""
    if isinstance(loop, cst.For):
        return paths(loop.target)
    if isinstance(loop, cst.While):
        return set()
    return paths(loop.for_in.target)


def loop_body(loop: Loop) -> cst.CSTNode:
    if isinstance(loop, (cst.For, cst.While)):
        return loop.body
    return loop.value if isinstance(loop, cst.DictComp) else loop.elt


def is_short(loop: Loop, context: Context) -> bool:
    """Whether a loop is known to make only a few passes."""
    over = loop.iter if isinstance(loop, cst.For) else None if isinstance(loop, cst.While) else loop.for_in.iter
    if not isinstance(over, cst.Call) or context.callee(over) != "builtins.range" or len(over.args) != 1:
        return False
    count = constant(context.value(over.args[0].value), int)
    return count is not None and count <= SMALL


def is_forward(node: cst.CSTNode, context: Context) -> bool:
    """Whether a node stands in a layer's forward pass or in a method that this calls: the caller evaluates."""
    code = context.enclosing_function(node)
    if code is None or code.owner is None or code.name == "__init__":
        return False
    forward = code.owner.method("__call__")
    if forward is None:
        return False
    return code is forward or code in context.shared(_called_from, forward.node.body)


def _called_from(body: cst.CSTNode, context: Context) -> set[FunctionCode | None]:
    return {context.function(called) for _, called, _ in context.calls(body)}
