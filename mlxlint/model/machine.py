"""The state of the abstract interpreter, and what its parts may ask of one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import libcst as cst

from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode, Env, FunctionCode, ModuleCode
from mlxlint.model.values import NONE, UNKNOWN, Array, Dict, Foreign, Instance, Sequence, Value, as_array, join

if TYPE_CHECKING:
    from mlxlint.model.project import Project

T = TypeVar("T")


class Frame:
    """One activation: of a module's top level, a class body or a function."""

    __slots__ = (
        "breaks",
        "calls",
        "code",
        "continues",
        "env",
        "globals",
        "module",
        "owner",
        "recording",
        "returns",
        "scopes",
        "values",
    )

    def __init__(
        self, module: ModuleCode, env: Env, scopes: tuple[Env, ...], values: dict[cst.CSTNode, Value], recording: bool
    ):
        self.module = module
        self.globals = module.env
        self.env = env
        self.scopes = scopes
        self.values = values
        self.recording = recording
        self.calls: dict[cst.Call, Value] = module.calls if recording else {}
        self.returns: list[Value] = []
        self.breaks: list[list[Env]] = []
        self.continues: list[list[Env]] = []
        self.code: FunctionCode | None = None
        self.owner: ClassCode | None = None


class Machine:
    """What the parts of the interpreter share: where it stands, and one another's main entries."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.frame: Frame = None  # type: ignore[assignment]
        self.depth = 0
        self.seeing = True  # whether calls tell functions what they are given
        self.steps = 0
        self.pending: dict[ModuleCode, list[FunctionCode]] = {}
        self._expressions: dict[type, Callable[[Any], Value]] = {
            getattr(cst, name[3:]): getattr(self, name) for name in dir(type(self)) if name.startswith("on_")
        }
        self._statements: dict[type, Callable[[Any], bool]] = {
            getattr(cst, name[4:]): getattr(self, name) for name in dir(type(self)) if name.startswith("run_")
        }

    def within(self, frame: Frame, run: Callable[[], T]) -> T:
        outer, self.frame = self.frame, frame
        try:
            return run()
        finally:
            self.frame = outer

    def in_scope_of(self, code: FunctionCode, run: Callable[[], Value]) -> Value:
        frame = Frame(code.module, {}, code.scopes, code.module.values, False)
        frame.owner = code.owner
        return self.within(frame, run)

    def stated(self, code: FunctionCode, annotation: cst.Annotation) -> Value:
        """What an annotation of a function says, read once when all that it may name is bound."""
        known = code.stated.get(annotation)
        if known is None:
            known = self.in_scope_of(code, lambda: self.annotation(annotation.annotation))
            if code.module.complete:
                code.stated[annotation] = known
        return known

    def eval(self, node: cst.CSTNode) -> Value:
        """The value of an expression, recorded."""
        raise NotImplementedError

    def see_annotation(self, node: cst.BaseExpression) -> None:
        """Record the names in an annotation, for the rules that look at them."""
        if not isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
            self.eval(node)

    def annotation(self, node: cst.BaseExpression) -> Value:
        """What an annotation says of the value annotated."""
        raise NotImplementedError

    def call(self, function: Value, args: Arguments, node: cst.CSTNode | None = None) -> Value:
        """The value of calling ``function`` with ``args``."""
        raise NotImplementedError

    def call_function(self, code: FunctionCode, args: Arguments) -> Value:
        """The value of calling a function of the project."""
        raise NotImplementedError

    def activate(self, code: FunctionCode, env: Env, recording: bool) -> Value:
        """Run a function's body in an environment; its return value."""
        raise NotImplementedError

    def generic_parameters(self, code: FunctionCode) -> Env:
        """Parameters as far as annotations, defaults, conventions and the calls seen tell."""
        raise NotImplementedError

    def function_code(self, node: cst.FunctionDef | cst.Lambda) -> FunctionCode:
        """The function of a node, known by its enclosing scopes from now on."""
        raise NotImplementedError

    def assign(self, target: cst.BaseExpression, value: Value, source: cst.BaseExpression | None) -> None:
        """Bind a target to a value; ``source`` is the expression it came from."""
        raise NotImplementedError

    def store_attribute(self, target: cst.Attribute, value: Value) -> None:
        """Bind ``target.attr``."""
        raise NotImplementedError

    def attribute(self, base: Value, name: str, node: cst.CSTNode | None) -> Value:
        """The value of ``base.name``."""
        raise NotImplementedError

    def binary(self, operator: str, left: Value, right: Value, node: cst.CSTNode) -> Value:
        """The value of ``left operator right``."""
        raise NotImplementedError

    def slice_part(self, part: cst.BaseSlice) -> Value | None:
        """The value of an index; None for a slice with a colon."""
        raise NotImplementedError

    def narrow(self, test: cst.BaseExpression, truth: bool) -> None:
        """Keep of the names in a test only the alternatives with which it has this outcome."""
        raise NotImplementedError

    def block(self, statements: Iterable[cst.CSTNode]) -> bool:
        """Run statements; True when control surely leaves before the end."""
        raise NotImplementedError

    def wrap(self, name: str, args: Arguments, node: cst.CSTNode | None) -> Value:
        """The result of a function that transforms a function."""
        raise NotImplementedError


def produced(value: Value | None, name: str, node: cst.CSTNode | None) -> Value:
    """A result that remembers which operation made it, and where."""
    if value is None or value is UNKNOWN:
        return UNKNOWN
    if isinstance(value, (Array, Foreign)):
        if value.op is None:
            value.op, value.node = name, node
        return value
    if isinstance(value, Sequence):
        items = value.items if value.items is not None else (value.element,)
        for item in items:
            if isinstance(item, (Array, Foreign)) and item.op is None:
                item.op, item.node = name, node
    return value


def refine(stated: Value, seen: Value) -> Value:
    """An annotation, made more exact by the arguments seen where these agree with it."""
    array, given = as_array(stated), as_array(seen)
    if array is not None and given is not None:
        return given if isinstance(stated, Array) else join(given, NONE)
    if isinstance(stated, Instance) and isinstance(seen, Instance):
        return seen
    if isinstance(stated, (Sequence, Dict)) and type(seen) is type(stated):
        return seen
    return stated
