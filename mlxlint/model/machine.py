"""The state of the abstract interpreter, and what its parts may ask of one another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import libcst as cst

from mlxlint.model import foreign
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode, Env, FunctionCode, ModuleCode, SeenCalls, SeenObjects, take_apart
from mlxlint.model.values import (
    NONE,
    UNKNOWN,
    Array,
    Dict,
    Foreign,
    Instance,
    Sequence,
    Value,
    arrays,
    as_array,
    join,
    join_all,
)

if TYPE_CHECKING:
    from mlxlint.model.project import Project

T = TypeVar("T")
NOTHING: Mapping[str, Value] = {}


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
        "yields",
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
        self.yields = False
        self.breaks: list[list[Env]] = []
        self.continues: list[list[Env]] = []
        self.code: FunctionCode | None = None
        self.owner: ClassCode | None = None

    @property
    def inner_scopes(self) -> tuple[Env, ...]:
        """The environments of the functions around what is defined here, innermost first."""
        return self.scopes if self.code is None else (self.env, *self.scopes)


class Machine:
    """What the parts of the interpreter share: where it stands, and one another's main entries."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.frame: Frame = None  # type: ignore[assignment]
        self.linted: ModuleCode | None = None
        self.loading = False  # whether the top level of a lasting module is run
        self._recorded: set[ModuleCode] = set()  # the lasting ones with values on record
        self._start()
        self._expressions: dict[type, Callable[[Any], Value]] = {
            getattr(cst, name[3:]): getattr(self, name) for name in dir(type(self)) if name.startswith("on_")
        }
        self._statements: dict[type, Callable[[Any], bool]] = {
            getattr(cst, name[4:]): getattr(self, name) for name in dir(type(self)) if name.startswith("run_")
        }

    def begin(self) -> None:
        """Be as if nothing had been run but the top level of lasting modules."""
        for module in self._recorded:
            module.clear()
        self._recorded.clear()
        self.linted = None
        for code in self._showing:
            code.shown = None
        take_apart(self.functions.values(), self.classes.values())
        self._start()

    def _start(self) -> None:
        self.depth = 0
        self.steps = 0
        self.away = 0  # those of the steps that were not in the linted module
        self.seeing = True  # whether calls tell functions what they are given
        self.pending: dict[ModuleCode, list[FunctionCode]] = {}
        self.functions: dict[cst.CSTNode, FunctionCode] = {}  # those in functions of lasting modules
        self.classes: dict[cst.ClassDef, ClassCode] = {}
        self._showing: list[FunctionCode | ClassCode] = []

    def apart(self, run: Callable[[], None]) -> None:
        """Run from the beginning in the midst of something else; what is shown by it is forgotten."""
        outer = self.depth, self.steps, self.away, self.seeing, self.pending, self.functions, self.classes
        shown = [(code, code.shown) for code in self._showing]
        for code, _ in shown:
            code.shown = None
        loading, self.loading = self.loading, True
        self._start()
        try:
            run()
        finally:
            for code in self._showing:
                code.shown = None
            self.loading = loading
            self.depth, self.steps, self.away, self.seeing, self.pending, self.functions, self.classes = outer
            for code, what in shown:
                code.shown = what
            self._showing = [code for code, _ in shown]

    def calls_of(self, code: FunctionCode) -> SeenCalls:
        """What the calls of a function have shown."""
        if code.shown is None:
            code.shown = SeenCalls()
            self._showing.append(code)
        return code.shown

    def objects_of(self, code: ClassCode) -> SeenObjects:
        """What the objects of a class have shown."""
        if code.shown is None:
            code.shown = SeenObjects()
            self._showing.append(code)
        return code.shown

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

    def default(self, code: FunctionCode, name: str, node: cst.BaseExpression) -> Value:
        """What a parameter is when nothing is given: read once, but where it may rest on a function around."""
        known = self.calls_of(code).defaults
        if name not in known or code.scopes:
            known[name] = self.in_scope_of(code, lambda: self.eval(node))
        return known[name]

    def stated(self, code: FunctionCode, annotation: cst.Annotation) -> Value:
        """What an annotation of a function says, read once when all that it may name is bound."""
        shown = self.calls_of(code)
        known = shown.stated.get(annotation)
        if known is None:
            known = self.in_scope_of(code, lambda: self.annotation(annotation.annotation))
            if code.module.complete:
                shown.stated[annotation] = known
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

    def parameters(self, code: FunctionCode, given: Mapping[str, Value] = NOTHING) -> Env:
        """What a call gives; of the rest what annotations, defaults, conventions and the calls seen tell."""
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

    def store_named(self, base: Value, name: str, value: Value) -> None:
        """What ``base.name = value`` and ``setattr(base, "name", value)`` show of the project's classes."""
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

    def block(self, statements: Collection[cst.CSTNode]) -> bool:
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


def iterated(value: Value, node: cst.CSTNode) -> Value:
    """What a loop over a value goes through."""
    element = foreign.iterate(value)
    if isinstance(element, (Array, Foreign)) and element.op is None:
        return element.with_(op="iteration", node=node)  # type: ignore[no-any-return]
    return element


def refine(stated: Value, seen: Value) -> Value:
    """An annotation, made more exact by the arguments seen where these agree with it."""
    array, given = as_array(stated), as_array(seen)
    if array is not None and given is not None:
        return given if isinstance(stated, Array) else join(given, NONE)
    if isinstance(stated, Foreign):  # what is given besides counts more than an annotation
        return join_all([stated, *arrays(seen)])
    if isinstance(stated, Instance) and isinstance(seen, Instance):
        return seen
    if isinstance(stated, (Sequence, Dict)) and type(seen) is type(stated):
        return seen
    return stated
