"""PyTorch's names read as MLX's: `torch` as `mlx.core`, `torch.nn` as `mlx.nn`, tensors as arrays.

Every name of MLX in such a reading stands for one of PyTorch's, so that there is a way back. MLX itself, where the code
uses it already, is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import libcst as cst

from mlxlint.audit.spelling import in_mlx, in_torch, names_torch
from mlxlint.audit.uses import Use, unresolved, uses
from mlxlint.context import Context
from mlxlint.engine import Analysis
from mlxlint.model import foreign, names
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import Env, FunctionCode, ModuleCode
from mlxlint.model.finder import Finder
from mlxlint.model.infer import NOT_ARRAYS, Interpreter
from mlxlint.model.machine import produced
from mlxlint.model.project import Project
from mlxlint.model.values import (
    LIKELY,
    UNKNOWN,
    Array,
    Class,
    Dict,
    Foreign,
    Instance,
    Module,
    Name,
    Partial,
    Value,
    constant,
    join_all,
    members,
)
from mlxlint.model.values import Sequence as SequenceValue
from mlxlint.rule import Confidence, Finding, Rule
from mlxlint.source import Source

_CONTAINERS = frozenset({"mlx.nn.ModuleList", "mlx.nn.ModuleDict", "mlx.nn.ParameterList", "mlx.nn.ParameterDict"})
_PARAMETERS = frozenset({"mlx.nn.Parameter", "mlx.nn.Buffer"})
MOST_FOLLOWED = 300  # files of a package that is followed throughout; a larger one is a framework


_EMPTY = SequenceValue("list", ())


def _read(value: Value) -> Value:
    """What an import binds, in the reading."""
    if isinstance(value, (Module, Name)):
        if names.of_mlx(value.name):
            return UNKNOWN
        if value.name.partition(".")[0] == "torch":
            read: Value = value.with_(name=in_mlx(value.name))
            return read
    return value


def _as_array(value: Value, name: str, node: cst.CSTNode | None) -> Value:
    """A value with arrays where it has tensors."""
    if isinstance(value, Foreign) and value.type == foreign.TENSOR:
        return produced(Array(value.dtype, value.shape, confidence=LIKELY), name, node)
    if isinstance(value, SequenceValue):
        items = value.items if value.items is None else tuple(_as_array(item, name, node) for item in value.items)
        return SequenceValue(value.kind, items, _as_array(value.element, name, node), value.confidence)
    if isinstance(value, Dict) and isinstance(value.element, Foreign):
        return Dict({}, _as_array(value.element, name, node), confidence=value.confidence)
    return value


class TorchProject(Project):
    """A module that is written for PyTorch, and those behind its imports; of a framework what it imports itself."""

    def __init__(self, roots: Sequence[Path] = (), finder: Finder | None = None) -> None:
        super().__init__(roots, finder or Finder([str(root) for root in roots], names_torch), _TorchInterpreter)
        self.read: ModuleCode | None = None

    def analyse(self, module: ModuleCode) -> None:
        self.read = module
        self.interpreter.analyse(module)

    def follows(self, path: Path, source: Source, importer: ModuleCode) -> bool:
        return importer is self.read or self.finder.extent(str(path)) <= MOST_FOLLOWED

    def module_value(self, name: str, importer: ModuleCode, node: cst.CSTNode) -> Value:
        return _read(super().module_value(name, importer, node))

    def member(self, base: str, name: str, importer: ModuleCode, node: cst.CSTNode) -> Value:
        path = self.find(base, importer)
        found = super().member(base, name, importer, node)
        return found if path is not None else _read(found)

    def star(self, base: str, importer: ModuleCode) -> Env:
        return {} if names.of_mlx(base) else super().star(base, importer)

    def attribute(self, module: Module, name: str, importer: ModuleCode) -> Value:
        if names.of_mlx(module.name):
            return _read(super().attribute(Module(in_torch(module.name)), name, importer))
        return super().attribute(module, name, importer)


class _TorchInterpreter(Interpreter):
    """Reads what PyTorch has, and MLX has not, as it is meant."""

    def annotation(self, node: cst.BaseExpression) -> Value:
        found = super().annotation(node)
        if isinstance(found, Instance) and found.type.startswith("mlx.core.") and found.type.endswith("Tensor"):
            return Array(op="annotation", node=node)
        return found

    def _parameter(self, code: FunctionCode, param: cst.Param) -> Value:
        found = super()._parameter(code, param)
        if found is UNKNOWN and param.default is not None:  # a layer, or what makes one
            default = self.default(code, param.name.value, param.default)
            return default if isinstance(default, (Class, Name, Partial)) else UNKNOWN
        is_input = found is UNKNOWN and not NOT_ARRAYS.search(param.name.value)
        if is_input and code.name == "forward" and code.owner is not None and code.owner.is_mlx_module:
            return Array(op="parameter", confidence=LIKELY, node=param)
        return found

    def attribute(self, base: Value, name: str, node: cst.CSTNode | None) -> Value:
        found = super().attribute(base, name, node)
        if isinstance(base, Array) and isinstance(found, Name):
            read = foreign.attribute(Foreign(foreign.TENSOR, base.dtype, base.shape), name)
            found = found if read is None else read
        return _as_array(found, f"mlx.core.array.{name}", node)

    def call(self, function: Value, args: Arguments, node: cst.CSTNode | None = None) -> Value:
        name = function.name if isinstance(function, Name) else ""
        if name in _CONTAINERS:
            return args.positional[0] if args.positional else Dict() if name.endswith("Dict") else _EMPTY
        if name in _PARAMETERS and args.positional:
            return Array(parameter=True, confidence=LIKELY, op=name, node=node)
        if isinstance(function, Name) and name.endswith(".register_buffer"):
            self._register(function.receiver, args)
        found = super().call(function, args, node)
        if found is UNKNOWN:
            found = _result(function, args)
        return _as_array(found, name, node)

    def _register(self, module: Value | None, args: Arguments) -> None:
        """``self.register_buffer("mask", mask)`` sets an attribute."""
        name, value = constant(args.get(0, "name"), str), args.get(1, "tensor")
        if isinstance(module, Instance) and module.code is not None and isinstance(name, str) and value is not UNKNOWN:
            self.objects_of(module.code).set(name, value)


def _result(function: Value, args: Arguments) -> Value:
    """What a function, a method or a layer of PyTorch returns."""
    if isinstance(function, Instance) and function.code is None and function.type.startswith("mlx.nn."):
        return Foreign(foreign.TENSOR)
    if not isinstance(function, Name):
        return UNKNOWN
    name = in_torch(function.name)
    if function.receiver is None:
        found = foreign.torch_function(name, args) if name.startswith("torch.") else UNKNOWN
        return found.with_(type=in_mlx(name)) if isinstance(found, Instance) else found
    tensors = [Foreign(foreign.TENSOR, each.dtype) for each in members(function.receiver) if isinstance(each, Array)]
    return join_all(foreign.method(each, name.rpartition(".")[2], args) for each in tensors)


class Reading(Analysis):
    """Reads files written for PyTorch: :meth:`lint` gives what MLX's rules say, and ``uses`` what the file uses.

    ``unresolved`` are the methods of tensors read from what is not known to be one.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        min_confidence: Confidence = Confidence.LIKELY,
        search: Sequence[Path] = (),
    ) -> None:
        super().__init__(rules, min_confidence=min_confidence, search=search)
        self.project = TorchProject(search)
        self.uses: list[Use] = []
        self.unresolved: list[str] = []

    def lint(self, source: Source, path: Path | None = None) -> list[Finding]:
        self.uses, self.unresolved = [], []
        return super().lint(source, path)

    def _visit(self, context: Context, source: Source) -> list[Finding]:
        _rename_core(context.module.env)
        self.uses, self.unresolved = uses(context, source), unresolved(context)
        return super()._visit(context, source)


def _rename_core(env: Env) -> None:
    """What is to be written instead calls MLX's core ``mx``, not as the file calls PyTorch."""
    for name, value in list(env.items()):
        if isinstance(value, Module) and value.name == "mlx.core":
            del env[name]
            env["mx"] = value
