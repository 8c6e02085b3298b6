"""What depends on the arguments or parameters for which a function is differentiated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import children
from mlxlint.model.values import Array, Const, Function, Instance, Name, Sequence, Value, constant, members

OF_ARGUMENTS = frozenset({"mlx.core.grad", "mlx.core.value_and_grad"})
OF_PARAMETERS = "mlx.nn.value_and_grad"
_STARTING = OF_ARGUMENTS | {OF_PARAMETERS}
TRANSFORMS = frozenset({"grad", "value_and_grad"})
_WITHOUT_GRADIENT = frozenset({"shape", "ndim", "size", "dtype", "nbytes", "itemsize"})
_STOP = "mlx.core.stop_gradient"
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_STOPS = frozenset({_STOP, "builtins.len", "builtins.isinstance", "mlx.core.zeros_like", "mlx.core.ones_like"})
_LARGEST = 60  # functions followed from one file's transforms
_PASSES = 4
_FOUND: WeakKeyDictionary[Context, list[Flow]] = WeakKeyDictionary()


@dataclass(eq=False)
class Flow:
    """A differentiated function and its names that depend on what it is differentiated for."""

    code: FunctionCode
    names: set[str]
    is_whole: bool  # it is itself what is differentiated, not only called by that
    context: Context = field(repr=False)
    model: str | None = None  # its parameter that is called as the model

    def nodes(self) -> Iterator[cst.CSTNode]:
        """The nodes of its body, nested functions and what is under ``stop_gradient`` left out."""
        stack: list[cst.CSTNode] = [self.code.node.body]
        while stack:
            node = stack.pop()
            if isinstance(node, _SCOPES) or (isinstance(node, cst.Call) and self.context.callee(node) == _STOP):
                continue
            yield node
            stack += reversed(children(node))

    def depends(self, node: cst.CSTNode) -> bool:
        """Whether the value of an expression depends on what is differentiated, and passes a gradient on."""
        if isinstance(node, cst.Name):
            return node.value in self.names
        if isinstance(node, cst.Attribute):
            return node.attr.value not in _WITHOUT_GRADIENT and (
                _is_parameter(node, self.context) or self.depends(node.value)
            )
        if isinstance(node, (cst.Comparison, cst.Lambda, cst.BaseString, cst.BaseNumber)):
            return False
        if isinstance(node, cst.Subscript):
            return self.depends(node.value)
        if isinstance(node, cst.Call):
            if self.context.callee(node) in _STOPS:
                return False
            receiver = node.func.value if isinstance(node.func, cst.Attribute) else None
            return (
                is_layer(self.context.called(node))
                or (isinstance(node.func, cst.Name) and node.func.value == self.model)
                or any(self.depends(arg.value) for arg in node.args)
                or (receiver is not None and self.depends(receiver))
            )
        return any(self.depends(child) for child in children(node))


def differentiated(context: Context) -> list[Flow]:
    """The functions of a file that its transforms differentiate, and those of its functions that these call."""
    if context not in _FOUND:
        _FOUND[context] = list(_flows(context)) if "grad" in context.module.text else []
    return _FOUND[context]


def _flows(context: Context) -> Iterator[Flow]:
    found: dict[int, Flow] = {}
    queue = [flow for call, called in context.module.calls.items() for flow in _started(call, called, context)]
    while queue and len(found) < _LARGEST:
        flow = queue.pop()
        known = found.get(id(flow.code))
        if known is not None and flow.names <= known.names:
            continue
        if known is not None:
            flow.names |= known.names
            flow.is_whole |= known.is_whole
        found[id(flow.code)] = flow
        _spread(flow)
        queue += _called(flow)
    return iter(found.values())


def _started(call: cst.Call, called: Value, context: Context) -> Iterator[Flow]:
    """The function that one call of a transform differentiates."""
    if not isinstance(called, Name) or not call.args or called.name not in _STARTING:
        return
    place = 1 if called.name == OF_PARAMETERS else 0
    function = ArgumentNodes(call).get(place, "fun", "fn")
    code = None if function is None else context.function(context.value(function.value))
    if code is not None and code.module is context.module:
        names = set() if place else _arguments(call, code, context)
        model = code.positional[0].name.value if place and code.positional else None
        yield Flow(code, names, True, context, model)
    forward = context.function(context.value(call.args[0].value)) if place else None
    if forward is not None and forward.module is context.module:
        yield Flow(forward, set(), False, context)


def _arguments(call: cst.Call, code: FunctionCode, context: Context) -> set[str]:
    """The parameters named by ``argnums`` or ``argnames``: the first when there is neither."""
    given = ArgumentNodes(call)
    numbers, names = given.get(1, "argnums"), given.get(2, "argnames")
    parameters = [p.name.value for p in code.positional if p.name.value != "self"]
    places = _constants(context.value(numbers.value), int) if numbers is not None else [0] if names is None else []
    named = _constants(context.value(names.value), str) if names is not None else []
    return {parameters[place] for place in places if -len(parameters) <= place < len(parameters)} | set(named)


def _constants(value: Value, type: type) -> list:  # type: ignore[type-arg]
    items = value.items or () if isinstance(value, Sequence) else (value,)
    return [item.value for item in items if isinstance(item, Const) and constant(item, type) is not None]


def _spread(flow: Flow) -> None:
    """Add the names bound to something that depends on those known already."""
    for _ in range(_PASSES):
        before = len(flow.names)
        for node in flow.nodes():
            if isinstance(node, (cst.Assign, cst.AugAssign, cst.AnnAssign, cst.NamedExpr)):
                if node.value is not None and flow.depends(node.value):
                    targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]
                    flow.names.update(name for target in targets for name in _bound(target))
            elif isinstance(node, cst.For) and flow.depends(node.iter):
                flow.names.update(_bound(node.target))
        if len(flow.names) == before:
            return


def _bound(target: cst.BaseExpression) -> Iterator[str]:
    if isinstance(target, cst.Name):
        yield target.value
    elif isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _bound(element.value)


def _called(flow: Flow) -> Iterator[Flow]:
    """The file's own functions that a function calls, with those of their parameters that get something dependent."""
    for call in flow.nodes():
        if not isinstance(call, cst.Call):
            continue
        code = flow.context.function(flow.context.called(call))
        if code is None or code.module is not flow.context.module or code.name == "__init__":
            continue
        if code.decorated_with("mlx.core.custom_function"):
            continue  # it has a gradient of its own
        parameters = [p.name.value for p in code.positional if p.name.value != "self"]
        given = ArgumentNodes(call)
        names = {name for name, arg in zip(parameters, given.positional) if flow.depends(arg.value)}
        names |= {name for name, arg in given.keywords.items() if flow.depends(arg.value)}
        yield Flow(code, names, False, flow.context)


def is_layer(called: Value) -> bool:
    """Whether a call is one of a module, whose parameters are differentiated."""
    found = called.receiver if isinstance(called, Function) else called
    return found is not None and any(
        isinstance(member, Instance)
        and (member.type.startswith("mlx.nn.") or (member.code is not None and member.code.is_mlx_module))
        for member in members(found)
    )


def _is_parameter(node: cst.Attribute, context: Context) -> bool:
    value = context.value(node)
    return isinstance(value, Array) and value.parameter
