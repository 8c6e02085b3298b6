"""The project's own functions, classes and modules, as the inference meets them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import libcst as cst

from mlxlint.concrete import Concrete
from mlxlint.model.tree import walk
from mlxlint.model.values import LIKELY, UNKNOWN, Array, Class, Const, Function, Name, Value, join, weaker
from mlxlint.syntax import Syntax

Env = dict[str, Value]
MAX_ALTERNATIVES = 8
_BINDING = frozenset({cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor})
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_IMPORTED = re.compile(r"(?:^|;)[ \t]*(?:import|from)[ \t]+(\w+)")
_OF_ARRAYS = frozenset(
    "numpy torch torchvision torchaudio jax tensorflow cupy pandas scipy cv2 PIL h5py tinygrad".split()
)
_OF_TENSORS = frozenset("torch torchvision torchaudio safetensors jax tensorflow tinygrad".split())
# What brings in tensors without an import of PyTorch: Transformers and others are asked for them, or convert them.
_PYTORCH_RETURNED = re.compile(r"""["'](?:pt|torch)["']|\.numpy\(\)|\.detach\(\)|state_dict|AutoModel|LMHeadModel""")


class ModuleCode:
    """One module: its tree, what its top level binds, and the value of each expression in it.

    A ``lasting`` one is executed once for all files that are linted, and keeps nothing of what one of them shows of it.
    """

    def __init__(self, name: str, path: Path | None, syntax: Syntax, lasting: bool = False) -> None:
        self.name = name
        self.lasting = lasting
        self.syntax = syntax
        self.path = path
        self.env: Env = {}
        self.values: dict[cst.CSTNode, Value] = {}
        self.calls: dict[cst.Call, Value] = {}  # what is called, by call
        self.functions: dict[cst.CSTNode, FunctionCode] = {}
        self.classes: dict[cst.ClassDef, ClassCode] = {}
        self.found: dict[str, Path | None] = {}  # modules of the project, as seen from here
        self.rests_on: set[ModuleCode] = set()  # the lasting ones that it was executed with
        self.uses = 0  # how often it was asked for
        self.executed = False
        self.complete = False  # executed to its end
        self.analysed = False

    @property
    def text(self) -> str:
        return self.syntax.text

    @property
    def tree(self) -> cst.Module:
        return self.syntax.tree

    @cached_property
    def concrete(self) -> Concrete:
        """The nodes of its tree as they stand in the text."""
        return Concrete(self.syntax)

    def clear(self) -> None:
        """Let go of the values on record."""
        self.values.clear()
        self.calls.clear()

    def take_apart(self) -> None:
        """Undo what refers to itself in a circle: what is no longer needed is then gone at once."""
        take_apart(self.functions.values(), self.classes.values())
        for part in (self.env, self.values, self.calls, self.functions, self.classes, self.rests_on):
            part.clear()

    @cached_property
    def has_arrays_of_mlx_alone(self) -> bool:
        """Whether MLX is imported somewhere in the file, and no other library with arrays."""
        return "mlx" in self._imported and not self._imported & _OF_ARRAYS

    @cached_property
    def has_tensors_of_mlx_alone(self) -> bool:
        """Whether MLX is imported somewhere in the file, and nothing that makes tensors of another library."""
        if "mlx" not in self._imported or self._imported & _OF_TENSORS:
            return False
        return _PYTORCH_RETURNED.search(self.text) is None

    @cached_property
    def _imported(self) -> set[str]:
        """The root packages that are imported somewhere in the file."""
        lines = (line for line in self.text.split("\n") if "import" in line)
        return {root for line in lines for root in _IMPORTED.findall(line)}

    @property
    def package(self) -> str:
        """The package against which this module's relative imports resolve."""
        if self.path is not None and self.path.name == "__init__.py":
            return self.name
        return self.name.rpartition(".")[0]


class SeenCalls:
    """What the calls of a function have shown so far."""

    __slots__ = (
        "alternatives",
        "at_analysis",
        "by_object",
        "defaults",
        "number",
        "recorded",
        "returns",
        "running",
        "seen",
        "stated",
        "used",
    )

    def __init__(self) -> None:
        self.seen: dict[str, Value] = {}  # parameter -> join of the arguments of the calls seen
        self.alternatives: dict[str, dict[object, Value]] = {}  # parameter -> some different arguments seen, by key
        self.defaults: Env = {}  # parameter -> what it is when nothing is given
        self.number = 0  # of calls that showed something new
        self.by_object = False  # whether its object was called, which runs a module's `forward` in PyTorch
        self.at_analysis = -1  # their number when the function was read with what they had shown
        self.returns: dict[object, Value] = {}  # arguments' key -> return value
        self.running = 0
        self.stated: dict[cst.Annotation, Value] = {}
        self.used: Env = {}  # parameter -> what its uses say of it
        self.recorded: Env | None = None  # the parameters with which the values on record were computed

    def see(self, arguments: Mapping[str, Value], keys: Mapping[str, object]) -> None:
        """Note the arguments of a call and their keys, for the parameters' values when the function itself is read."""
        changed = False
        for name, value in arguments.items():
            old, known = self.seen.get(name), self.alternatives.setdefault(name, {})
            if (value is UNKNOWN and old is not None) or keys[name] in known:
                continue
            if value is not UNKNOWN and len(known) < MAX_ALTERNATIVES:
                known[keys[name]] = value
            new = value if old is None or old is UNKNOWN else join(old, value)
            if old is None or (new is not old and new.key() != old.key()):
                self.seen[name] = new
                changed = True
        if changed:
            self.number += 1


class FunctionCode:
    """A ``def`` or ``lambda`` of the project. ``shown`` is what its calls have shown; None: nothing yet."""

    def __init__(
        self, node: cst.FunctionDef | cst.Lambda, module: ModuleCode, owner: ClassCode | None, scopes: tuple[Env, ...]
    ) -> None:
        self.node = node
        self.module = module
        self.owner = owner
        self.scopes = scopes  # environments of the enclosing functions, innermost first
        self.name = node.name.value if isinstance(node, cst.FunctionDef) else "<lambda>"
        self.decorators: list[Value] = []
        self.shown: SeenCalls | None = None

    @cached_property
    def parameters(self) -> list[cst.Param]:
        params = self.node.params
        return [*params.posonly_params, *params.params, *params.kwonly_params]

    @cached_property
    def positional(self) -> list[cst.Param]:
        params = self.node.params
        return [*params.posonly_params, *params.params]

    @cached_property
    def named(self) -> frozenset[str]:
        """The names of the parameters that a keyword can give."""
        return frozenset(param.name.value for param in self.parameters)

    @cached_property
    def optional(self) -> list[tuple[str, cst.BaseExpression]]:
        """The parameters with a default, and that."""
        return [(param.name.value, param.default) for param in self.parameters if param.default is not None]

    def decorated_with(self, *names: str) -> bool:
        return any(isinstance(d, Name) and d.name in names for d in self.decorators)

    @property
    def is_static(self) -> bool:
        return self.decorated_with("builtins.staticmethod")

    @property
    def is_property(self) -> bool:
        return self.decorated_with("builtins.property", "functools.cached_property")

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """All names in its body, those of attributes too."""
        return self.module.syntax.told(_names, self.node.body)

    @property
    def called_by(self) -> str:
        """The name by which it is called: an initialiser by its class's."""
        return self.owner.name if self.owner is not None and self.name == "__init__" else self.name

    @cached_property
    def rebound(self) -> frozenset[str]:
        """The names that its body binds anew somewhere."""
        return self.module.syntax.told(_rebound, self.node.body)

    @cached_property
    def is_generator(self) -> bool:
        return any(type(node) is cst.Yield for node in walk(self.node.body, _SCOPES))


class SeenObjects:
    """What the objects of a class have shown so far."""

    __slots__ = ("attributes", "initialised")

    def __init__(self) -> None:
        self.attributes: Env = {}  # self.x = ...
        self.initialised = False

    def set(self, name: str, value: Value) -> None:
        """Join what an assignment to ``self.name`` stores. What is known of one assignment is likely of all."""
        old = self.attributes.get(name)
        if old is None:
            self.attributes[name] = value
        elif old is UNKNOWN or value is UNKNOWN:
            self.attributes[name] = weaker(value if old is UNKNOWN else old, LIKELY)
        elif isinstance(old, Array) and isinstance(value, Const) and value.value is None:
            return
        else:
            self.attributes[name] = join(old, value)


class ClassCode:
    """A class of the project: bases, methods, attributes. ``shown`` as for functions, by its objects."""

    def __init__(self, node: cst.ClassDef, module: ModuleCode) -> None:
        self.node = node
        self.module = module
        self.name = node.name.value
        self.decorators: list[Value] = []
        self.body: Env = {}  # methods and class attributes
        self.fields: Env = {}  # annotated names of the class body, in order
        self.shown: SeenObjects | None = None
        self.qualified = f"{module.name}.{self.name}"
        self._bases: list[Value] = []
        self._ancestry: tuple[list[ClassCode], list[str]] | None = None

    @property
    def attributes(self) -> Env:
        """What is known to be stored on its objects, by assignments to ``self.x``."""
        return {} if self.shown is None else self.shown.attributes

    @property
    def bases(self) -> list[Value]:
        return self._bases

    @bases.setter
    def bases(self, bases: list[Value]) -> None:
        self._bases, self._ancestry = bases, None

    def ancestry(self) -> tuple[list[ClassCode], list[str]]:
        """The project's classes in lookup order, this one first, and the names of the outside classes they rest on."""
        if self._ancestry is None:
            self._ancestry = self._find_ancestry()
        return self._ancestry

    def _find_ancestry(self) -> tuple[list[ClassCode], list[str]]:
        own: list[ClassCode] = []
        outside: list[str] = []
        stack: list[Value] = [Class(self)]
        while stack:
            value = stack.pop(0)
            if isinstance(value, Class) and value.code not in own:
                own.append(value.code)
                stack = [*value.code.bases, *stack]
            elif isinstance(value, Name):
                outside.append(value.name)
            elif value is UNKNOWN:
                outside.append("?")
        return own, outside

    def is_a(self, *names: str) -> bool:
        return any(name in names for name in self.ancestry()[1])

    @property
    def is_mlx_module(self) -> bool:
        return any(name.startswith("mlx.nn.") for name in self.ancestry()[1])

    def default(self, field: str) -> Value:
        """What the class's body gives a field of its objects."""
        return next((code.body[field] for code in self.ancestry()[0] if field in code.body), UNKNOWN)

    def method(self, name: str) -> FunctionCode | None:
        for code in self.ancestry()[0]:
            value = code.body.get(name)
            if isinstance(value, Function):
                return value.code
        return None


def _names(body: cst.CSTNode) -> frozenset[str]:
    return frozenset(node.value for node in walk(body) if type(node) is cst.Name)


def _rebound(body: cst.CSTNode) -> frozenset[str]:
    bound = [node.target for node in walk(body) if type(node) in _BINDING]  # type: ignore[attr-defined]
    return frozenset(node.value for target in bound for node in walk(target) if type(node) is cst.Name)


def take_apart(functions: Iterable[FunctionCode], classes: Iterable[ClassCode]) -> None:
    """Undo what functions and classes refer to that refers to them."""
    for function in functions:
        function.scopes, function.shown = (), None
    for cls in classes:
        cls.body, cls.bases, cls.shown = {}, [], None
