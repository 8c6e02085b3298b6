"""The abstract interpreter: runs a module on abstract values and records the value of every expression.

Forward and flow-sensitive: branches are joined, loops run to a bounded fixed point, functions of the project are called
with the values at hand (bounded in depth and number), and read once more with what their callers were seen to pass.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import libcst as cst

from mlxlint.model import api, foreign, layers, names, ops, shapes
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode, Env, FunctionCode, ModuleCode
from mlxlint.model.tree import dotted
from mlxlint.model.values import (
    CERTAIN,
    LIKELY,
    NONE,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Dim,
    Either,
    Foreign,
    Function,
    Instance,
    Module,
    Name,
    Partial,
    Scalar,
    Sequence,
    Tree,
    Unknown,
    Value,
    as_array,
    constant,
    join,
    join_all,
    members,
    scalar_type,
    weaker,
)

if TYPE_CHECKING:
    from mlxlint.model.project import Project

MAX_DEPTH = 6  # nested calls of the project's functions
MAX_CONTEXTS = 12  # argument combinations for which one function is run
MAX_STEPS = 400_000  # statements run for one module, all contexts together
LOOP_PASSES = 3

_BUILTINS = frozenset(dir(builtins))
# Parameters of a layer's __call__ that are seldom arrays; the others are, by MLX's convention.
_NOT_ARRAYS = re.compile(r"cache|config|cfg|args|state|len|size|shape|step|fn|func|mask|mode|return|use_|is_|training|name|key|dim|axis|num|offset")
_WRAPPERS = frozenset(
    """functools.partial mlx.core.compile mlx.core.grad mlx.core.value_and_grad mlx.core.vmap mlx.core.checkpoint
    mlx.nn.value_and_grad mlx.nn.utils.checkpoint mlx.core.custom_function functools.lru_cache functools.cache
    functools.wraps torch.no_grad torch.inference_mode contextlib.contextmanager""".split()
)
_TRANSPARENT = frozenset({"functools.lru_cache", "functools.cache", "functools.wraps", "torch.no_grad", "torch.inference_mode"})
_OPERATORS: dict[type, str] = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/", cst.FloorDivide: "//", cst.Modulo: "%", cst.Power: "**",
    cst.MatrixMultiply: "@", cst.BitAnd: "&", cst.BitOr: "|", cst.BitXor: "^", cst.LeftShift: "<<", cst.RightShift: ">>",
    cst.GreaterThan: ">", cst.GreaterThanEqual: ">=", cst.LessThan: "<", cst.LessThanEqual: "<=", cst.Equal: "==", cst.NotEqual: "!=",
    cst.AddAssign: "+", cst.SubtractAssign: "-", cst.MultiplyAssign: "*", cst.DivideAssign: "/", cst.FloorDivideAssign: "//",
    cst.ModuloAssign: "%", cst.PowerAssign: "**", cst.MatrixMultiplyAssign: "@", cst.BitAndAssign: "&", cst.BitOrAssign: "|",
    cst.BitXorAssign: "^", cst.LeftShiftAssign: "<<", cst.RightShiftAssign: ">>",
}  # fmt: skip


T = TypeVar("T")


class Frame:
    """One activation: of a module's top level, a class body or a function."""

    __slots__ = ("breaks", "calls", "code", "continues", "env", "globals", "module", "owner", "recording", "returns", "scopes", "values")

    def __init__(self, module: ModuleCode, env: Env, scopes: tuple[Env, ...], values: dict[cst.CSTNode, Value], recording: bool):
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
        self.code: Optional[FunctionCode] = None
        self.owner: Optional[ClassCode] = None


class Interpreter:
    """Runs the code of one project."""

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

    # ---- modules and functions -------------------------------------------------------------------------------------

    def execute(self, module: ModuleCode) -> None:
        """Run a module's top level: imports, definitions, constants, scripts."""
        if module.executed:
            return
        module.executed = True
        self.pending.setdefault(module, [])
        frame = Frame(module, module.env, (), module.values, True)
        module.env.setdefault("__name__", Scalar("str"))
        self._within(frame, lambda: self.block(module.tree.body))
        if frame.env is not module.env:  # a branch at top level replaced it
            module.env.update(frame.env)

    def analyse(self, module: ModuleCode) -> None:
        """Run everything in a module once, functions with the arguments of the calls seen, callers before callees."""
        if module.analysed:
            return
        module.analysed = True
        self.steps = 0
        self.execute(module)
        queue = self.pending[module]
        for code in [c for c in queue if c.name == "__init__"]:
            self._record(code)
        while any(c.seen_at_analysis < 0 for c in queue):
            for code in reversed(list(queue)):
                if code.seen_at_analysis < 0:
                    self._record(code)
        for code in list(queue):
            if code.seen_calls != code.seen_at_analysis:
                self._record(code)

    def survey(self, code: FunctionCode) -> None:
        """See that the calls in a function's body are recorded, also in a module that is not being linted."""
        if code.seen_at_analysis < 0 and not code.surveyed:
            code.surveyed = True
            self._run(code, self.generic_parameters(code), recording=True)

    def _record(self, code: FunctionCode) -> None:
        code.seen_at_analysis = code.seen_calls
        # Run for its callers' arguments one by one, it has shown what it passes on; their join would mix them.
        self.seeing = not code.returns
        try:
            self._run(code, self.generic_parameters(code), recording=True)
        finally:
            self.seeing = True

    def _within(self, frame: Frame, run: Callable[[], T]) -> T:
        outer, self.frame = self.frame, frame
        try:
            return run()
        finally:
            self.frame = outer

    def _run(self, code: FunctionCode, env: Env, recording: bool) -> Value:
        """Run a function's body in an environment; its return value."""
        values = code.module.values if recording else {}
        frame = Frame(code.module, env, code.scopes, values, recording)
        frame.code, frame.owner = code, code.owner
        body = code.node.body
        code.running += 1
        try:
            if isinstance(code.node, cst.Lambda):
                return self._within(frame, lambda: self.eval(body))
            ended = self._within(frame, lambda: self.block(body.body if isinstance(body, cst.IndentedBlock) else [body]))
        finally:
            code.running -= 1
        if code.is_generator:
            return Sequence("generator", None, join_all(frame.returns) if frame.returns else UNKNOWN)
        if not ended:
            frame.returns.append(NONE)
        return join_all(frame.returns) if frame.returns else NONE

    def generic_parameters(self, code: FunctionCode) -> Env:
        """Parameters as far as annotations, defaults, conventions and the calls seen tell."""
        env: Env = {}
        positional = code.positional
        for i, param in enumerate(code.parameters):
            name = param.name.value
            if i == 0 and code.owner is not None and not code.is_static and positional:
                env[name] = self._receiver(code)
            else:
                env[name] = self._parameter(code, param)
        for star, kind in ((code.node.params.star_arg, "tuple"), (code.node.params.star_kwarg, "dict")):
            if isinstance(star, cst.Param):
                env[star.name.value] = Sequence(kind, None, UNKNOWN) if kind == "tuple" else Dict()
        return env

    def _receiver(self, code: FunctionCode) -> Value:
        assert code.owner is not None
        if code.decorated_with("builtins.classmethod") or code.name == "__new__":
            return Class(code.owner)
        return Instance(code.owner.qualified, code.owner)

    def _parameter(self, code: FunctionCode, param: cst.Param) -> Value:
        name = param.name.value
        seen = code.seen.get(name, UNKNOWN)
        if param.annotation is not None:
            stated = self._in_scope_of(code, lambda: self.annotation(param.annotation.annotation))  # type: ignore[union-attr]
            if stated is not UNKNOWN:
                return self._refine(stated, seen)
        if param.default is not None:
            default = self._in_scope_of(code, lambda: self.eval(param.default))  # type: ignore[arg-type]
            if seen is not UNKNOWN:
                return seen if isinstance(default, Const) and default.value is None and as_array(seen) else join(seen, default)
            kind = scalar_type(default)
            return Scalar(kind, LIKELY) if kind else UNKNOWN
        if seen is not UNKNOWN:
            return seen
        if code.name == "__call__" and code.owner is not None and code.owner.is_mlx_module and not _NOT_ARRAYS.search(name):
            return Array(op="parameter", confidence=LIKELY, node=param)
        return UNKNOWN

    def _refine(self, stated: Value, seen: Value) -> Value:
        """An annotation, made more exact by the arguments seen where these agree with it."""
        array, given = as_array(stated), as_array(seen)
        if array is not None and given is not None:
            return given if isinstance(stated, Array) else join(given, NONE)
        if isinstance(stated, Instance) and isinstance(seen, Instance):
            return seen
        if isinstance(stated, (Sequence, Dict)) and type(seen) is type(stated):
            return seen
        return stated

    def _in_scope_of(self, code: FunctionCode, run: Callable[[], Value]) -> Value:
        frame = Frame(code.module, {}, code.scopes, code.module.values, False)
        frame.owner = code.owner
        return self._within(frame, run)

    # ---- calls -----------------------------------------------------------------------------------------------------

    def call(self, function: Value, args: Arguments, node: Optional[cst.CSTNode] = None) -> Value:
        """The value of calling ``function`` with ``args``."""
        if isinstance(function, Name):
            return self._call_name(function, args, node)
        if isinstance(function, Function):
            receiver = function.receiver
            return self.call_function(function.code, args if receiver is None else args.after(receiver))
        if isinstance(function, Class):
            return self._construct(function.code, args, node)
        if isinstance(function, Instance):
            return self._call_instance(function, args, node)
        if isinstance(function, Partial):
            return self._call_partial(function, args, node)
        if isinstance(function, Either):
            results = [self.call(m, args, node) for m in function.members if m is not UNKNOWN and not isinstance(m, Const)]
            return join_all(results) if results else UNKNOWN
        return UNKNOWN

    def call_function(self, code: FunctionCode, args: Arguments) -> Value:
        bound = self._bind(code, args)
        if self.seeing:
            code.see(bound)
        annotated = self._stated_return(code)
        if code.running > 1 or self.depth >= MAX_DEPTH or self.steps > MAX_STEPS:
            return annotated
        key = tuple((n, v.key()) for n, v in bound.items())
        if key in code.returns:
            return code.returns[key]
        if len(code.returns) >= MAX_CONTEXTS:
            return annotated
        code.returns[key] = annotated  # what a recursive call gets
        env = self.generic_parameters(code)
        for name, value in bound.items():
            if value is not UNKNOWN:
                env[name] = value
        self.depth += 1
        try:
            result = self._run(code, env, recording=False)
        finally:
            self.depth -= 1
        if code.node and isinstance(code.node, cst.FunctionDef) and code.node.asynchronous is not None:
            result = UNKNOWN
        if result is UNKNOWN:
            result = annotated
        elif isinstance(annotated, Array) and as_array(result) is not None:
            result = weaker(result, CERTAIN)
        code.returns[key] = result
        return result

    def _stated_return(self, code: FunctionCode) -> Value:
        if isinstance(code.node, cst.FunctionDef) and code.node.returns is not None:
            annotation = code.node.returns.annotation
            return self._in_scope_of(code, lambda: self.annotation(annotation))
        return UNKNOWN

    def _bind(self, code: FunctionCode, args: Arguments) -> Env:
        """The parameters that a call surely gives values to."""
        bound: Env = {}
        positional = code.positional
        for param, value in zip(positional, args.positional):
            bound[param.name.value] = value
        if isinstance(code.node.params.star_arg, cst.Param):
            rest = args.positional[len(positional) :]
            bound[code.node.params.star_arg.name.value] = Sequence("tuple", None if args.starred else rest, join_all(rest) if rest else UNKNOWN)
        known = {p.name.value for p in code.parameters}
        bound.update({n: v for n, v in args.keywords.items() if n in known})
        if code.owner is not None and not code.is_static and positional and isinstance(args.get(0), (Instance, Class)):
            bound.pop(positional[0].name.value, None)
        if not args.starred:
            for param in code.parameters:
                name = param.name.value
                if name not in bound and param.default is not None:
                    bound[name] = self._in_scope_of(code, lambda p=param: self.eval(p.default))  # type: ignore[misc]
        return bound

    def _construct(self, code: ClassCode, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        instance = Instance(code.qualified, code, node=node)
        init = code.method("__init__")
        if init is not None:
            self.call_function(init, args.after(instance))
        elif code.fields:
            for (name, _), value in zip(code.fields.items(), args.positional):
                self._learn_field(code, name, value)
            for name, value in args.keywords.items():
                if name in code.fields:
                    self._learn_field(code, name, value)
        return instance

    def _learn_field(self, code: ClassCode, name: str, value: Value) -> None:
        if value is not UNKNOWN:
            code.set_attribute(name, value)

    def _call_instance(self, instance: Instance, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        if instance.code is not None:
            method = instance.code.method("__call__")
            if method is not None:
                return self.call_function(method, args.after(instance))
            bases = [n for n in instance.code.ancestry()[1] if n.startswith("mlx.nn.") and n != "mlx.nn.Module"]
            if not bases:
                forward = instance.code.method("forward")
                return self.call_function(forward, args.after(instance)) if forward is not None else UNKNOWN
            instance = Instance(bases[0])
        if instance.type == "mlx.nn.Sequential":
            return self._call_sequential(instance, args)
        if instance.type.startswith("mlx.nn."):
            return self._produced(layers.call(instance, args), instance.type + ".__call__", node)
        if instance.type.startswith("torch."):
            return Foreign(foreign.TENSOR) if instance.type.startswith("torch.nn.") else UNKNOWN
        return UNKNOWN

    def _call_sequential(self, instance: Instance, args: Arguments) -> Value:
        value = args.get(0, "x")
        if not instance.args:
            return Array(confidence=LIKELY)
        for layer in instance.args:
            value = self.call(layer, Arguments((value,), {}))
        return value

    def _call_partial(self, partial: Partial, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        transform, inner = partial.transform, partial.inner
        if transform == "functools.partial":
            merged = Arguments((*partial.args, *args.positional), {**partial.keywords, **args.keywords}, args.starred)
            return self.call(inner, merged, node)
        if transform in ("mlx.nn.value_and_grad", "mlx.core.value_and_grad"):
            value = self.call(inner, args, node)
            if value is UNKNOWN:
                value = Array(confidence=LIKELY)
            return Sequence("tuple", (value, Tree("gradients", node=node)), node=node)
        if transform == "mlx.core.grad":
            self.call(inner, args, node)
            first = args.get(0)
            return Array(first.dtype, first.shape) if isinstance(first, Array) else Tree("gradients", node=node)
        if transform == "mlx.core.vmap":
            result = self.call(inner, Arguments(tuple(foreign.iterate(a) for a in args.positional), {}))
            array = as_array(result)
            return Array(array.dtype) if array is not None else UNKNOWN
        return self.call(inner, args, node)

    def _call_name(self, function: Name, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        name = function.name
        root = name.partition(".")[0]
        receiver = function.receiver
        if receiver is not None:
            return self._call_method(function, receiver, args, node)
        if root == "mlx":
            return self._call_mlx(name, args, node)
        if root == "mlx_lm":
            return self._produced(_mlx_lm(name), name, node)
        if root == "torch":
            return self._produced(foreign.torch_function(name, args), name, node)
        if root == "numpy":
            return self._produced(foreign.numpy_function(name[6:], args), name, node)
        if root == "builtins":
            return self._call_builtin(name[9:], args)
        if name in _WRAPPERS:
            return self._wrap(name, args, node)
        if name.startswith(("copy.copy", "copy.deepcopy")):
            return args.get(0)
        if name.startswith("math.") or name.startswith("time."):
            return Scalar("int" if name in ("math.ceil", "math.floor", "math.prod", "math.gcd") else "float")
        if name in ("json.dumps", "os.path.join"):
            return Scalar("str")
        if name in ("re.sub",):
            return Scalar("str")
        if name.rpartition(".")[2][:1].isupper() and root in ("pandas", "PIL", "transformers", "pathlib", "argparse"):
            return Instance(name, None, args.positional, args.keywords)
        return UNKNOWN

    def _call_mlx(self, name: str, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        if name in _WRAPPERS:
            return self._wrap(name, args, node)
        if name.startswith("mlx.core."):
            found = ops.core(name[9:], args)
            return self._produced(found if found is not None else _returned(name), name, node)
        if name in ("mlx.utils.tree_map", "mlx.utils.tree_map_with_path"):
            self._call_mapped(args)
        if names.kind(name) == "class":
            return Instance(name, None, args.positional, args.keywords, node=node)
        if name.startswith("mlx.nn.init.") and name.count(".") == 3 and not name.endswith("()"):
            return Name(name + "()", None, node=node)
        if name.startswith("mlx.nn.init.") and name.endswith("()"):
            array = as_array(args.get(0))
            return Array(array.dtype if array else None, array.shape if array else None, op=name, node=node)
        found = layers.function(name, args)
        return self._produced(found if found is not None else _returned(name), name, node)

    def _call_mapped(self, args: Arguments) -> None:
        """``tree_map`` calls its function on the leaves, which are arrays."""
        trees = args.positional[1:]
        leaves = tuple(Array(parameter=isinstance(t, Tree) and t.kind == "parameters", confidence=LIKELY) for t in trees)
        if leaves and isinstance(args.get(0), (Function, Partial)):
            self.call(args.get(0), Arguments(leaves, {}))

    def _call_builtin(self, name: str, args: Arguments) -> Value:
        if name in ("map", "filter") and len(args.positional) >= 2:
            elements = tuple(foreign.iterate(a) for a in args.positional[1:])
            if name == "filter":
                return Sequence("iterator", None, elements[0])
            return Sequence("iterator", None, self.call(args.positional[0], Arguments(elements, {})))
        if name == "getattr" and len(args.positional) >= 2 and isinstance(constant(args.positional[1], str), str):
            return self.attribute(args.positional[0], constant(args.positional[1], str), None)
        if name in ("staticmethod", "classmethod", "property"):
            return args.get(0)
        return foreign.builtin(name, args)

    def _wrap(self, name: str, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        index = 1 if name == "mlx.nn.value_and_grad" else 0
        inner = args.get(index, "fn", "fun", "function", "func")
        if name in _TRANSPARENT:
            return inner if isinstance(inner, (Function, Partial)) else Partial("functools.partial", Name("builtins.staticmethod"), node=node)
        if inner is UNKNOWN:
            return UNKNOWN if args.positional or name == "functools.partial" else Partial("functools.partial", Name(name), (), args.keywords, node=node)
        rest = tuple(a for i, a in enumerate(args.positional) if i != index)
        return Partial(name, inner, rest, args.keywords, node=node)

    def _call_method(self, function: Name, receiver: Value, args: Arguments, node: Optional[cst.CSTNode]) -> Value:
        short = function.name.rpartition(".")[2]
        if isinstance(receiver, Array):
            return self._produced(ops.method(receiver, short, args), function.name, node)
        if isinstance(receiver, Foreign):
            return self._produced(foreign.method(receiver, short, args), function.name, node)
        if isinstance(receiver, Instance):
            found = layers.method(receiver, short, args, receiver)
            if found is not None:
                return found
            if receiver.type == "numpy.random.Generator":
                return Foreign(foreign.NDARRAY)
            if short == "apply_chat_template":
                tokenize = args.get(None, "tokenize", default=Const(True))
                return Scalar("str", LIKELY) if constant(tokenize, bool) is False else UNKNOWN
            if receiver.type == "mlx_lm.tokenizer" and short == "decode":
                return Scalar("str")
            if receiver.type == "mlx_lm.tokenizer" and short == "encode":
                return Sequence("list", None, Scalar("int"))
            return UNKNOWN
        if short == "append" and isinstance(receiver, Sequence) and receiver.kind == "list" and node is not None:
            self._append(node, receiver, args.get(0), short)
            return NONE
        if short in ("extend", "insert") and isinstance(receiver, Sequence) and node is not None:
            self._append(node, receiver, foreign.iterate(args.get(0)) if short == "extend" else args.get(1), short)
            return NONE
        return foreign.container_method(receiver, short, args)

    def _append(self, node: cst.CSTNode, receiver: Sequence, value: Value, how: str) -> None:
        """``xs.append(v)``: the list behind the name now also holds ``v``."""
        target = node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
        element = value if receiver.items == () else join(receiver.joined(), value)
        grown = Sequence("list", None, element, receiver.confidence, receiver.node)
        if isinstance(target, cst.Name) and target.value in self.frame.env:
            self.frame.env[target.value] = grown
        elif isinstance(target, cst.Attribute):
            self._store_attribute(target, grown)

    @staticmethod
    def _produced(value: Optional[Value], name: str, node: Optional[cst.CSTNode]) -> Value:
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

    # ---- statements ------------------------------------------------------------------------------------------------

    def block(self, statements: Iterable[cst.CSTNode]) -> bool:
        """Run statements; True when control surely leaves before the end."""
        ended = False
        frame = self.frame
        values = frame.values
        for statement in statements:
            if type(statement) is cst.SimpleStatementLine:
                for small in statement.body:
                    values[small] = UNKNOWN
                    ended = self._statements[type(small)](small) or ended
            elif type(statement) is cst.SimpleStatementSuite:
                ended = self.block([cst.SimpleStatementLine(body=statement.body)]) or ended
            else:
                values[statement] = UNKNOWN
                handler = self._statements.get(type(statement))
                ended = bool(handler and handler(statement)) or ended
            self.steps += 1
        return ended

    def suite(self, body: cst.BaseSuite) -> bool:
        if isinstance(body, cst.IndentedBlock):
            return self.block(body.body)
        if isinstance(body, cst.SimpleStatementSuite):
            values = self.frame.values
            ended = False
            for small in body.body:
                values[small] = UNKNOWN
                ended = self._statements[type(small)](small) or ended
            return ended
        return False

    def run_Expr(self, node: cst.Expr) -> bool:
        self.eval(node.value)
        return False

    def run_Pass(self, node: cst.Pass) -> bool:
        return False

    def run_Assign(self, node: cst.Assign) -> bool:
        value = self.eval(node.value)
        for target in node.targets:
            self.assign(target.target, value, node.value)
        return False

    def run_AnnAssign(self, node: cst.AnnAssign) -> bool:
        stated = self.annotation(node.annotation.annotation)
        value = self.eval(node.value) if node.value is not None else UNKNOWN
        if value is UNKNOWN or (isinstance(value, Const) and value.value is None):
            value = stated if value is UNKNOWN or stated is UNKNOWN else join(stated, value)
        if node.value is not None or self.frame.code is None:
            self.assign(node.target, value, node.value)
        if self.frame.code is None and self.frame.owner is not None and isinstance(node.target, cst.Name):
            self.frame.owner.fields[node.target.value] = stated if stated is not UNKNOWN else value
        return False

    def run_AugAssign(self, node: cst.AugAssign) -> bool:
        left = self.eval(node.target)
        right = self.eval(node.value)
        result = self._binary(_OPERATORS.get(type(node.operator), "?"), left, right, node)
        if isinstance(node.target, cst.Name):
            if isinstance(left, Sequence) and isinstance(node.operator, cst.AddAssign):
                result = Sequence(left.kind, None, join(left.joined(), foreign.iterate(right)) if left.items != () else foreign.iterate(right))
            self.frame.env[node.target.value] = result
        elif isinstance(node.target, cst.Attribute):
            self._store_attribute(node.target, result)
        return False

    def run_Return(self, node: cst.Return) -> bool:
        self.frame.returns.append(self.eval(node.value) if node.value is not None else NONE)
        return True

    def run_Raise(self, node: cst.Raise) -> bool:
        for part in (node.exc, node.cause and node.cause.item):
            if part is not None:
                self.eval(part)
        return True

    def run_Break(self, node: cst.Break) -> bool:
        if self.frame.breaks:
            self.frame.breaks[-1].append(dict(self.frame.env))
        return True

    def run_Continue(self, node: cst.Continue) -> bool:
        if self.frame.continues:
            self.frame.continues[-1].append(dict(self.frame.env))
        return True

    def run_Assert(self, node: cst.Assert) -> bool:
        self.eval(node.test)
        if node.msg is not None:
            self.eval(node.msg)
        self._narrow(node.test, True)
        return False

    def run_Del(self, node: cst.Del) -> bool:
        targets = [e.value for e in node.target.elements] if isinstance(node.target, cst.Tuple) else [node.target]
        for target in targets:
            if isinstance(target, cst.Name):
                self.frame.env.pop(target.value, None)
            else:
                self.eval(target)
        return False

    def run_Global(self, node: cst.Global) -> bool:
        return False

    def run_Nonlocal(self, node: cst.Nonlocal) -> bool:
        return False

    def run_TypeAlias(self, node: cst.TypeAlias) -> bool:
        return False

    def run_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            path = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                self._bind_name(alias.asname.name.value, self.project.module_value(path, self.frame.module, alias))
            else:
                root = path.partition(".")[0]
                self._bind_name(root, self.project.module_value(root, self.frame.module, alias))
        return False

    def run_ImportFrom(self, node: cst.ImportFrom) -> bool:
        base = self.project.resolve_from(node, self.frame.module)
        if isinstance(node.names, cst.ImportStar):
            for name, value in self.project.star(base, self.frame.module).items():
                self._bind_name(name, value)
            return False
        for alias in node.names:
            name = alias.name.value if isinstance(alias.name, cst.Name) else ""
            as_name = alias.asname.name.value if alias.asname is not None and isinstance(alias.asname.name, cst.Name) else name
            value = self.project.member(base, name, self.frame.module, alias)
            self.frame.values[alias] = value
            self._bind_name(as_name, value)
        return False

    def _bind_name(self, name: str, value: Value) -> None:
        self.frame.env[name] = value

    def run_If(self, node: cst.If) -> bool:
        self.eval(node.test)
        frame = self.frame
        before = frame.env
        frame.env = dict(before)
        self._narrow(node.test, True)
        ended_then = self.suite(node.body)
        then_env = frame.env
        frame.env = dict(before)
        self._narrow(node.test, False)
        ended_else = False
        if node.orelse is not None:
            frame.values[node.orelse] = UNKNOWN
            ended_else = self.run_If(node.orelse) if isinstance(node.orelse, cst.If) else self.suite(node.orelse.body)
        self._merge([*([] if ended_then else [then_env]), *([] if ended_else else [frame.env])], before)
        return ended_then and ended_else

    def _merge(self, envs: list[Env], fallback: Env) -> None:
        """Go on with the join of the environments; with ``fallback`` when there are none."""
        merged = join_envs(envs) if envs else fallback
        if self.frame.env is self.frame.globals or self.frame.code is None and self.frame.owner is None:
            merged = self._into_globals(merged)
        self.frame.env = merged

    def _into_globals(self, env: Env) -> Env:
        """A module's environment stays one object, since functions refer to it."""
        home = self.frame.globals
        if env is not home:
            home.clear()
            home.update(env)
        return home

    def _loop(self, enter: Callable[[], None], body: cst.BaseSuite, orelse: Optional[cst.Else], leave: Callable[[], None]) -> bool:
        """Run a loop's body until the environment is stable, at most a few times."""
        frame = self.frame
        before = dict(frame.env)
        passes = LOOP_PASSES if len(frame.breaks) < 2 else 1
        exits: list[Env] = []
        for _ in range(passes):
            start = dict(frame.env)
            frame.breaks.append([])
            frame.continues.append([])
            enter()
            ended = self.suite(body)
            exits = frame.breaks.pop()
            ends = [*frame.continues.pop(), *([] if ended else [frame.env])]
            joined = join_envs([start, *ends])
            stable = same_env(start, joined)
            frame.env = joined
            if stable:
                break
        del before
        leave()
        if orelse is not None:
            self.suite(orelse.body)
        self._merge([frame.env, *exits], frame.env)
        return False

    def run_For(self, node: cst.For) -> bool:
        iterated = self.eval(node.iter)
        element = self._produced(foreign.iterate(iterated), "iteration", node.iter)
        return self._loop(lambda: self.assign(node.target, element, None), node.body, node.orelse, lambda: None)

    def run_While(self, node: cst.While) -> bool:
        def enter() -> None:
            self.eval(node.test)
            self._narrow(node.test, True)

        self._loop(enter, node.body, node.orelse, lambda: self._narrow(node.test, False))
        return False

    def run_Try(self, node: cst.Try | cst.TryStar) -> bool:
        frame = self.frame
        before = dict(frame.env)
        ended = self.suite(node.body)
        after = frame.env
        start = join_envs([before, after])
        ends: list[Env] = []
        if not ended:
            frame.env = dict(after)
            if node.orelse is not None:
                ended = self.suite(node.orelse.body)
            if not ended:
                ends.append(frame.env)
        all_ended = ended
        for handler in node.handlers:
            frame.env = dict(start)
            frame.values[handler] = UNKNOWN
            if handler.type is not None:
                self.eval(handler.type)
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                frame.env[handler.name.name.value] = UNKNOWN
            if not self.suite(handler.body):
                ends.append(frame.env)
                all_ended = False
        self._merge(ends, start)
        if node.finalbody is not None:
            all_ended = self.suite(node.finalbody.body) or all_ended
        return all_ended

    run_TryStar = run_Try

    def run_With(self, node: cst.With) -> bool:
        for item in node.items:
            value = self.eval(item.item)
            if item.asname is not None:
                self.assign(item.asname.name, self._entered(value), None)
        return self.suite(node.body)

    def _entered(self, value: Value) -> Value:
        if isinstance(value, Instance) and value.code is not None:
            method = value.code.method("__enter__")
            return self.call_function(method, Arguments((value,), {})) if method is not None else UNKNOWN
        if isinstance(value, Sequence) and value.kind == "generator":
            return value.element
        return value if isinstance(value, Instance) and value.type == "io.TextIOWrapper" else UNKNOWN

    def run_Match(self, node: cst.Match) -> bool:
        self.eval(node.subject)
        frame = self.frame
        before = frame.env
        ends: list[Env] = []
        total = False
        for case in node.cases:
            frame.env = dict(before)
            for name in _captured(case.pattern):
                frame.env[name] = UNKNOWN
            if case.guard is not None:
                self.eval(case.guard)
            total = total or (case.guard is None and isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None)
            if not self.suite(case.body):
                ends.append(frame.env)
        self._merge(ends if total else [*ends, dict(before)], before)
        return total and not ends

    def run_FunctionDef(self, node: cst.FunctionDef) -> bool:
        code = self._function(node)
        code.decorators = [self.eval(d.decorator) for d in node.decorators]
        for param in code.parameters:
            if param.default is not None:
                self.eval(param.default)
            if param.annotation is not None:
                self.eval_annotation(param.annotation.annotation)
        if node.returns is not None:
            self.eval_annotation(node.returns.annotation)
        value: Value = Function(code, node=node)
        for decorator in reversed(code.decorators):
            value = self._decorated(decorator, value, node)
        self.frame.env[node.name.value] = value
        return False

    def _decorated(self, decorator: Value, value: Value, node: cst.CSTNode) -> Value:
        if isinstance(decorator, Name) and decorator.name in _WRAPPERS and decorator.name not in _TRANSPARENT:
            return self._wrap(decorator.name, Arguments((value,), {}), node)
        if isinstance(decorator, Partial):
            if isinstance(decorator.inner, Name) and decorator.inner.name in _WRAPPERS - _TRANSPARENT:
                return Partial(decorator.inner.name, value, (), decorator.keywords, node=node)
            return value
        if isinstance(decorator, Function):
            result = self.call_function(decorator.code, Arguments((value,), {}))
            return result if isinstance(result, (Function, Partial)) else value
        return value

    def _function(self, node: cst.FunctionDef | cst.Lambda) -> FunctionCode:
        frame = self.frame
        code = frame.module.functions.get(node)
        scopes = frame.scopes if frame.code is None else (frame.env, *frame.scopes)
        if code is None:
            owner = frame.owner if frame.code is None else None
            code = FunctionCode(node, frame.module, owner, scopes)
            frame.module.functions[node] = code
            self.pending.setdefault(frame.module, []).append(code)
        code.scopes = scopes
        return code

    def run_ClassDef(self, node: cst.ClassDef) -> bool:
        frame = self.frame
        code = frame.module.classes.setdefault(node, ClassCode(node, frame.module))
        code.bases = [self.eval(arg.value) for arg in node.bases]
        code.decorators = [self.eval(d.decorator) for d in node.decorators]
        inner = Frame(frame.module, {}, frame.scopes if frame.code is None else (frame.env, *frame.scopes), frame.values, frame.recording)
        inner.owner = code
        self._within(inner, lambda: self.suite(node.body))
        code.body = inner.env
        for base in code.bases:
            if isinstance(base, Class):
                code.fields = {**base.code.fields, **code.fields}
        frame.env[node.name.value] = Class(code, node=node)
        return False

    # ---- assignment ------------------------------------------------------------------------------------------------

    def assign(self, target: cst.BaseExpression, value: Value, source: Optional[cst.BaseExpression]) -> None:
        if isinstance(target, cst.Name):
            if isinstance(value, Scalar) and value.type == "int" and value.dim is None:
                value = value.with_(dim=Dim(target.value))
            self.frame.env[target.value] = value
        elif isinstance(target, (cst.Tuple, cst.List)):
            self._unpack(target, value, source)
        elif isinstance(target, cst.Attribute):
            self._store_attribute(target, value)
        elif isinstance(target, cst.Subscript):
            self._store_subscript(target, value)
        elif isinstance(target, cst.StarredElement):
            self.assign(target.value, value, None)

    def _unpack(self, target: cst.Tuple | cst.List, value: Value, source: Optional[cst.BaseExpression]) -> None:
        elements = target.elements
        star = next((i for i, e in enumerate(elements) if isinstance(e, cst.StarredElement)), None)
        if isinstance(value, Either):
            value = next((m for m in value.members if isinstance(m, Sequence)), UNKNOWN)
        items = value.items if isinstance(value, Sequence) else None
        if star is None and source is not None:
            items = self._unpack_shape(elements, items, source)
        for i, element in enumerate(elements):
            if items is not None and star is None and len(items) == len(elements):
                part = items[i]
            elif items is not None and star is not None and len(items) >= len(elements) - 1:
                after = len(elements) - star - 1
                part = items[i] if i < star else items[i - len(elements)] if i > star else Sequence("list", items[star : len(items) - after])
            else:
                part = foreign.iterate(value)
                if star == i:
                    part = Sequence("list", None, part)
            self.assign(element.value, part, None)

    def _unpack_shape(
        self, elements: Any, items: Optional[tuple[Value, ...]], source: cst.BaseExpression
    ) -> Optional[tuple[Value, ...]]:
        """``B, C, H, W = x.shape``: gives the array its rank, named sizes and, by the names, its layout."""
        if not (isinstance(source, cst.Attribute) and source.attr.value == "shape"):
            return items
        array = as_array(self.frame.values.get(source.value, UNKNOWN))
        if array is None:
            return items
        called = [e.value.value if isinstance(e.value, cst.Name) else None for e in elements]
        known = items if items is not None and len(items) == len(called) else (Scalar("int"),) * len(called)
        sized = tuple(
            v if isinstance(v, Const) or shapes.size(v) is not None else Scalar("int", dim=Dim(n or "")) for v, n in zip(known, called)
        )
        layout = shapes.layout_of_names(called)
        if isinstance(source.value, cst.Name) and source.value.value in self.frame.env and (array.shape is None or len(array.shape) == len(called)):
            refined = array.with_(shape=tuple(shapes.size(v) for v in sized), layout=array.layout or layout)
            self.frame.env[source.value.value] = refined
        return sized

    def _store_attribute(self, target: cst.Attribute, value: Value) -> None:
        base = self.eval(target.value)
        for member in members(base):
            if isinstance(member, Instance) and member.code is not None:
                stored = value
                if isinstance(value, Array) and member.code.is_mlx_module and not target.attr.value.startswith("_"):
                    stored = value.with_(parameter=True)
                member.code.set_attribute(target.attr.value, stored)
        path = dotted(target)
        if path is not None:
            self.frame.env[path] = value

    def _store_subscript(self, target: cst.Subscript, value: Value) -> None:
        base = self.eval(target.value)
        parts = [self._slice_part(e.slice) for e in target.slice]
        if isinstance(base, Dict) and len(parts) == 1 and parts[0] is not None and isinstance(target.value, cst.Name):
            key = constant(parts[0], str)
            if isinstance(key, str):
                changed = base.with_(items={**base.items, key: value})
            else:
                changed = base.with_(element=value if base.element is UNKNOWN and not base.items else join(base.element, value))
            self.frame.env[target.value.value] = changed
        elif isinstance(base, Sequence) and isinstance(target.value, cst.Name):
            self.frame.env[target.value.value] = Sequence(base.kind, None, join(base.joined(), value))

    # ---- narrowing -------------------------------------------------------------------------------------------------

    def _narrow(self, test: cst.BaseExpression, truth: bool) -> None:
        """Keep of the names in a test only the alternatives with which it has this outcome."""
        if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
            self._narrow(test.expression, not truth)
        elif isinstance(test, cst.BooleanOperation):
            if isinstance(test.operator, cst.And) is truth:
                self._narrow(test.left, truth)
                self._narrow(test.right, truth)
        elif isinstance(test, (cst.Name, cst.Attribute)):
            if truth:
                self._filter(test, lambda v: not (isinstance(v, Const) and v.value is None))
        elif isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
            comparison = test.comparisons[0]
            if isinstance(comparison.comparator, cst.Name) and comparison.comparator.value == "None":
                equal = isinstance(comparison.operator, (cst.Is, cst.Equal))
                if equal or isinstance(comparison.operator, (cst.IsNot, cst.NotEqual)):
                    want_none = equal is truth
                    self._filter(test.left, lambda v: isinstance(v, Const) and v.value is None if want_none else not (isinstance(v, Const) and v.value is None))
        elif isinstance(test, cst.Call) and isinstance(test.func, cst.Name) and test.func.value == "isinstance" and len(test.args) == 2:
            self._narrow_isinstance(test, truth)

    def _narrow_isinstance(self, test: cst.Call, truth: bool) -> None:
        wanted = test.args[1].value
        kinds = [e.value for e in wanted.elements] if isinstance(wanted, cst.Tuple) else [wanted]
        classes = [self.frame.values.get(k, UNKNOWN) for k in kinds]
        subject = test.args[0].value
        if truth:
            objects = join_all(instance_of(c) for c in classes)
            current = self.frame.values.get(subject, UNKNOWN)
            kept = [m for m in members(current) if any(_is_instance(m, c) for c in classes)]
            self._set(subject, join_all(kept) if kept else objects)
        else:
            self._filter(subject, lambda v: not any(_is_instance(v, c) for c in classes))

    def _set(self, node: cst.BaseExpression, value: Value) -> None:
        path = dotted(node)
        if path is not None and (path in self.frame.env or "." in path):
            self.frame.env[path] = value

    def _filter(self, node: cst.BaseExpression, keep: Callable[[Value], bool]) -> None:
        path = dotted(node)
        if path is None:
            return
        current = self.frame.env.get(path) if path in self.frame.env else self.frame.values.get(node) if "." in path else None
        if isinstance(current, Either):
            kept = [m for m in current.members if keep(m)]
            if kept and len(kept) < len(current.members):
                self.frame.env[path] = join_all(kept)
        elif current is not None and not keep(current) and current is not UNKNOWN:
            self.frame.env[path] = UNKNOWN

    # ---- annotations -----------------------------------------------------------------------------------------------

    def eval_annotation(self, node: cst.BaseExpression) -> None:
        if not isinstance(node, (cst.SimpleString, cst.ConcatenatedString)):
            self.eval(node)

    def annotation(self, node: cst.BaseExpression) -> Value:
        """What an annotation says of the value annotated."""
        if isinstance(node, (cst.SimpleString,)):
            try:
                node = cst.parse_expression(str(node.evaluated_value).strip())
            except Exception:
                return UNKNOWN
        if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.BitOr):
            return self._alternatives([self.annotation(node.left), self.annotation(node.right)])
        if isinstance(node, cst.Name) and node.value == "None":
            return NONE
        if isinstance(node, cst.Subscript):
            return self._generic_annotation(node)
        return instance_of(self.eval(node))

    @staticmethod
    def _alternatives(values: list[Value]) -> Value:
        return UNKNOWN if any(isinstance(v, Unknown) for v in values) else join_all(values)

    def _generic_annotation(self, node: cst.Subscript) -> Value:
        base = self.eval(node.value)
        name = base.name if isinstance(base, Name) else ""
        short = name.rpartition(".")[2].lower()
        inner = [e.slice.value for e in node.slice if isinstance(e.slice, cst.Index)]
        if short == "optional" and inner:
            return self._alternatives([self.annotation(inner[0]), NONE])
        if short == "union":
            return self._alternatives([self.annotation(i) for i in inner])
        if short in ("annotated", "classvar", "final") and inner:
            return self.annotation(inner[0])
        if short in ("list", "sequence", "iterable", "iterator", "set", "collection", "generator"):
            kind = {"list": "list", "set": "set", "sequence": "list"}.get(short, "iterator")
            return Sequence(kind, None, self.annotation(inner[0]) if inner else UNKNOWN)
        if short == "tuple":
            if len(inner) == 2 and isinstance(inner[1], cst.Ellipsis):
                return Sequence("tuple", None, self.annotation(inner[0]))
            return Sequence("tuple", tuple(self.annotation(i) for i in inner))
        if short in ("dict", "mapping", "defaultdict", "mutablemapping") and len(inner) == 2:
            return Dict({}, self.annotation(inner[1]))
        return UNKNOWN

    # ---- expressions -----------------------------------------------------------------------------------------------

    def eval(self, node: cst.CSTNode) -> Value:
        handler = self._expressions.get(type(node))
        value = UNKNOWN if handler is None else handler(node)
        self.frame.values[node] = value
        return value

    def lookup(self, name: str) -> Value:
        frame = self.frame
        value = frame.env.get(name)
        if value is not None:
            return value
        for scope in frame.scopes:
            value = scope.get(name)
            if value is not None:
                return value
        value = frame.globals.get(name)
        if value is not None:
            return value
        return Name("builtins." + name) if name in _BUILTINS else UNKNOWN

    def on_Name(self, node: cst.Name) -> Value:
        name = node.value
        if name == "None":
            return NONE
        if name == "True":
            return Const(True)
        if name == "False":
            return Const(False)
        return self.lookup(name)

    def on_Integer(self, node: cst.Integer) -> Value:
        try:
            return Const(int(node.value.replace("_", ""), 0) if node.value != "0" else 0)
        except ValueError:
            return Scalar("int")

    def on_Float(self, node: cst.Float) -> Value:
        try:
            return Const(float(node.value))
        except ValueError:
            return Scalar("float")

    def on_Imaginary(self, node: cst.Imaginary) -> Value:
        return Scalar("complex")

    def on_Ellipsis(self, node: cst.Ellipsis) -> Value:
        return Const(...)

    def on_SimpleString(self, node: cst.SimpleString) -> Value:
        text = node.value
        if len(text) > 200:
            return Scalar("bytes" if "b" in node.prefix else "str")
        if text[0] in "\"'" and "\\" not in text and not text.startswith(('"""', "'''")):
            return Const(text[1:-1])
        try:
            return Const(node.evaluated_value)
        except Exception:
            return Scalar("str")

    def on_ConcatenatedString(self, node: cst.ConcatenatedString) -> Value:
        left, right = self.eval(node.left), self.eval(node.right)
        if isinstance(left, Const) and isinstance(right, Const) and isinstance(left.value, str) and isinstance(right.value, str):
            return Const(left.value + right.value)
        return Scalar("str")

    def on_FormattedString(self, node: cst.FormattedString) -> Value:
        for part in node.parts:
            if isinstance(part, cst.FormattedStringExpression):
                self.eval(part.expression)
        return Scalar("str")

    def on_Tuple(self, node: cst.Tuple) -> Value:
        return self._display("tuple", node.elements)

    def on_List(self, node: cst.List) -> Value:
        return self._display("list", node.elements)

    def on_Set(self, node: cst.Set) -> Value:
        return self._display("set", node.elements)

    def _display(self, kind: str, elements: Iterable[cst.BaseElement]) -> Value:
        items: list[Value] = []
        exact = True
        for element in elements:
            value = self.eval(element.value)
            if isinstance(element, cst.StarredElement):
                if isinstance(value, Sequence) and value.items is not None:
                    items.extend(value.items)
                    continue
                exact = False
                value = foreign.iterate(value)
            items.append(value)
        if exact and len(items) <= 64:
            return Sequence(kind, tuple(items))
        return Sequence(kind, None, join_all(items))

    def on_Dict(self, node: cst.Dict) -> Value:
        items: dict[str, Value] = {}
        rest: list[Value] = []
        for element in node.elements:
            value = self.eval(element.value)
            if isinstance(element, cst.StarredDictElement):
                if isinstance(value, Dict):
                    items.update(value.items)
                    rest.append(value.element)
                else:
                    rest.append(UNKNOWN)
                continue
            key = constant(self.eval(element.key), str)  # type: ignore[attr-defined]
            if isinstance(key, str):
                items[key] = value
            else:
                rest.append(value)
        return Dict(items, join_all(rest) if rest else UNKNOWN)

    def on_Lambda(self, node: cst.Lambda) -> Value:
        for param in node.params.params:
            if param.default is not None:
                self.eval(param.default)
        return Function(self._function(node), node=node)

    def on_Attribute(self, node: cst.Attribute) -> Value:
        base = self.eval(node.value)
        env = self.frame.env
        if type(node.value) is cst.Name:
            stored = env.get(f"{node.value.value}.{node.attr.value}")
            if stored is not None:
                return stored
        return self.attribute(base, node.attr.value, node)

    def attribute(self, base: Value, name: str, node: Optional[cst.CSTNode]) -> Value:
        """The value of ``base.name``."""
        if base is UNKNOWN:
            return UNKNOWN
        if isinstance(base, Module):
            return self.project.attribute(base, name, self.frame.module)
        if isinstance(base, Array):
            found = ops.attribute(base, name)
            if found is not None:
                return self._produced(found, "mlx.core.array." + name, node)
            if name == "at":
                return Instance("mlx.core.array.at", None, (base,), node=node, confidence=base.confidence)
            return Name("mlx.core.array." + name, base, base.confidence, node)
        if isinstance(base, Foreign):
            return self._produced(foreign.attribute(base, name), f"{base.type}.{name}", node) if foreign.attribute(base, name) else Name(f"{base.type}.{name}", base, base.confidence, node)
        if isinstance(base, Instance):
            return self._instance_attribute(base, name, node)
        if isinstance(base, Class):
            return self._class_attribute(base, name)
        if isinstance(base, (Dict, Sequence, Tree, Const, Scalar)):
            return Name(f"builtins.{_type_name(base)}.{name}", base, base.confidence, node)
        if isinstance(base, Name):
            if base.receiver is None:
                return Name(names.canonical(f"{base.name}.{name}"), None, base.confidence, node)
            return UNKNOWN
        if isinstance(base, Partial):
            return UNKNOWN
        if isinstance(base, Either):
            found_values = [self.attribute(m, name, node) for m in base.members if not (isinstance(m, Const) and m.value is None)]
            return join_all(found_values) if found_values else UNKNOWN
        return UNKNOWN

    def _instance_attribute(self, base: Instance, name: str, node: Optional[cst.CSTNode]) -> Value:
        code = base.code
        if code is None:
            if base.type == "mlx.core.array.at":
                array = base.args[0]
                return Name("mlx.core.array.at." + name, array.with_(op="mlx.core.array.at"), array.confidence, node)
            found = layers.attribute(base, name)
            return self._produced(found, f"{base.type}.{name}", node) if found is not None else Name(f"{base.type}.{name}", base, base.confidence, node)
        found = self.member(code, name)
        if found is not None:
            if isinstance(found, Function) and found.receiver is None and not found.code.is_static:
                if found.code.is_property:
                    return self.call_function(found.code, Arguments((base,), {}))
                return Function(found.code, base, found.confidence, found.node)
            if isinstance(found, Partial) and isinstance(found.inner, Function) and found.inner.code.owner is not None:
                bound = Function(found.inner.code, base, found.inner.confidence)
                return Partial(found.transform, bound, found.args, found.keywords, found.confidence, found.node)
            return found
        outside = [n for n in code.ancestry()[1] if n.startswith(("mlx.", "torch."))]
        if outside:
            inherited = layers.attribute(Instance(outside[0]), name) if outside[0] != "mlx.nn.Module" else None
            return inherited if inherited is not None else Name(f"{outside[0]}.{name}", base, base.confidence, node)
        return UNKNOWN

    def member(self, code: ClassCode, name: str) -> Optional[Value]:
        """An attribute of the instances of a project class; None when it has none that is known."""
        own, _ = code.ancestry()
        for cls in own:
            self._initialise(cls)
            if name in cls.attributes:
                value = cls.attributes[name]
                return value if name not in cls.fields else self._refine(cls.fields[name], value) if cls.fields[name] is not UNKNOWN else value
            if name in cls.body and name not in cls.fields:
                return cls.body[name]
            if name in cls.fields:
                return cls.fields[name]
        return None

    def _initialise(self, code: ClassCode) -> None:
        """Learn the attributes that ``__init__`` sets, the first time one is asked for."""
        if code.initialised:
            return
        code.initialised = True
        init = code.body.get("__init__")
        if isinstance(init, Function) and not init.code.running:
            self._run(init.code, self.generic_parameters(init.code), recording=False)

    def _class_attribute(self, base: Class, name: str) -> Value:
        for code in base.code.ancestry()[0]:
            if name in code.body:
                return code.body[name]
        outside = [n for n in base.code.ancestry()[1] if n.startswith(("mlx.", "torch."))]
        return Name(f"{outside[0]}.{name}") if outside else UNKNOWN

    def on_Call(self, node: cst.Call) -> Value:
        function = self.eval(node.func)
        positional: list[Value] = []
        keywords: dict[str, Value] = {}
        starred = False
        for arg in node.args:
            value = self.eval(arg.value)
            if arg.star == "*":
                if isinstance(value, Sequence) and value.items is not None and not starred:
                    positional.extend(value.items)
                else:
                    starred = True
            elif arg.star == "**":
                if isinstance(value, Dict) and value.items and value.element is UNKNOWN:
                    keywords.update(value.items)
                starred = True
            elif arg.keyword is not None:
                keywords[arg.keyword.value] = value
            elif not starred:
                positional.append(value)
        self.frame.calls[node] = function
        if function is UNKNOWN:
            if isinstance(node.func, cst.Attribute) and node.func.attr.value == "apply_chat_template":
                return Scalar("str", LIKELY) if constant(keywords.get("tokenize", UNKNOWN), bool) is False else UNKNOWN
            return UNKNOWN
        if isinstance(function, Name) and function.name == "builtins.super":
            return self._super()
        return self.call(function, Arguments(tuple(positional), keywords, starred), node)

    def _super(self) -> Value:
        owner = self.frame.owner
        if owner is None:
            return UNKNOWN
        for base in owner.bases:
            if isinstance(base, Class):
                return Instance(base.code.qualified, base.code)
            if isinstance(base, Name):
                return Instance(base.name)
        return UNKNOWN

    def on_Subscript(self, node: cst.Subscript) -> Value:
        base = self.eval(node.value)
        parts = [self._slice_part(element.slice) for element in node.slice]
        if len(parts) == 1 and isinstance(parts[0], Sequence) and parts[0].kind == "tuple" and parts[0].items is not None:
            parts = list(parts[0].items)
        results = [self._subscript(m, parts, node) for m in members(base) if not (isinstance(m, Const) and m.value is None)]
        return join_all(results) if results else UNKNOWN

    def _slice_part(self, part: cst.BaseSlice) -> Optional[Value]:
        """The value of an index; None for a slice with a colon."""
        if isinstance(part, cst.Index):
            return self.eval(part.value)
        for bound in (part.lower, part.upper, part.step):  # type: ignore[attr-defined]
            if bound is not None:
                self.eval(bound)
        return None

    def _subscript(self, base: Value, parts: list[Optional[Value]], node: cst.Subscript) -> Value:
        if isinstance(base, Array):
            result = ops.index(base, parts)
            result.op, result.node = "mlx.core.array.__getitem__", node
            return result
        if isinstance(base, Instance) and base.type == "mlx.core.array.at":
            array = base.args[0]
            return Instance("mlx.core.array.at", None, (array,), confidence=array.confidence)
        if isinstance(base, Foreign):
            shape = shapes.index(base.shape, parts) if base.type == foreign.NDARRAY else None
            return Foreign(base.type, base.dtype, shape)
        first = parts[0] if len(parts) == 1 else None
        if isinstance(base, Sequence):
            if first is None:
                return self._sliced(base, node)
            at = constant(first, int)
            if base.items is not None and isinstance(at, int):
                return base.items[at] if -len(base.items) <= at < len(base.items) else UNKNOWN
            return base.joined()
        if isinstance(base, Dict):
            key = constant(first, str) if first is not None else None
            if isinstance(key, str):
                return base.items.get(key, base.element)
            return base.element if not base.items else UNKNOWN
        if isinstance(base, Instance) and base.code is not None:
            method = base.code.method("__getitem__")
            if method is not None:
                return self.call_function(method, Arguments((base, first if first is not None else UNKNOWN), {}))
        if scalar_type(base) == "str":
            return Scalar("str")
        return UNKNOWN

    def _sliced(self, base: Sequence, node: cst.Subscript) -> Value:
        if base.items is not None and len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Slice):
            part = node.slice[0].slice
            bounds = [None if b is None else constant(self.frame.values.get(b, UNKNOWN), int) for b in (part.lower, part.upper, part.step)]
            exact = all((b is None) == (v is None) for b, v in zip((part.lower, part.upper, part.step), bounds))
            if exact and bounds[2] != 0:
                return Sequence(base.kind, base.items[slice(*bounds)])
        return Sequence(base.kind, None, base.joined())

    def on_BinaryOperation(self, node: cst.BinaryOperation) -> Value:
        left, right = self.eval(node.left), self.eval(node.right)
        return self._binary(_OPERATORS.get(type(node.operator), "?"), left, right, node)

    def _binary(self, operator: str, left: Value, right: Value, node: cst.CSTNode) -> Value:
        a, b = as_array(left), as_array(right)
        if isinstance(left, Foreign) and left.type != foreign.TENSOR and b is not None:
            return Foreign(foreign.NDARRAY, None, op=f"operator.{operator}", node=node)
        if a is not None or b is not None:
            if operator == "@":
                result = ops.matmul("@", Arguments((left, right), {}))
            else:
                if isinstance(left, (Tree, Dict, Sequence)) or isinstance(right, (Tree, Dict)):
                    return UNKNOWN
                result = ops.combine(operator, left, right)
            assert isinstance(result, Array)
            result.op, result.node = f"operator.{operator}", node
            return result
        for value in (left, right):
            for member in members(value):
                if isinstance(member, Foreign):
                    return Foreign(foreign.NDARRAY if member.type == foreign.NUMPY_SCALAR and isinstance(right, Foreign) else member.type,
                                   member.dtype, op=f"operator.{operator}", node=node)
        return _python_binary(operator, left, right)

    def on_Comparison(self, node: cst.Comparison) -> Value:
        left = self.eval(node.left)
        result: Value = UNKNOWN
        for comparison in node.comparisons:
            right = self.eval(comparison.comparator)
            operator = _OPERATORS.get(type(comparison.operator))
            if operator is None:  # is, in and their negations
                result = Scalar("bool")
            elif as_array(left) is not None or as_array(right) is not None:
                if isinstance(left, Foreign):
                    result = Foreign(left.type, "bool", op=f"operator.{operator}", node=node)
                else:
                    result = ops.combine(operator, left, right)
                    result.op, result.node = f"operator.{operator}", node
            elif any(isinstance(m, Foreign) for v in (left, right) for m in members(v)):
                kind = next(m.type for v in (left, right) for m in members(v) if isinstance(m, Foreign))
                result = Foreign(kind, "bool", op=f"operator.{operator}", node=node)
            else:
                result = Scalar("bool") if scalar_type(left) and scalar_type(right) else UNKNOWN
            left = right
        return result

    def on_UnaryOperation(self, node: cst.UnaryOperation) -> Value:
        value = self.eval(node.expression)
        if isinstance(node.operator, cst.Not):
            return Scalar("bool")
        operator = "~" if isinstance(node.operator, cst.BitInvert) else "-" if isinstance(node.operator, cst.Minus) else "+"
        if isinstance(value, Const) and isinstance(value.value, (int, float)) and operator != "~":
            return Const(-value.value) if operator == "-" else value
        array = as_array(value)
        if array is not None:
            changed: Array = array.with_(op=f"operator.{operator}", node=node, parameter=False)
            return changed
        return value if isinstance(value, (Foreign, Scalar)) else UNKNOWN

    def on_BooleanOperation(self, node: cst.BooleanOperation) -> Value:
        left = self.eval(node.left)
        outer = self.frame.env
        self.frame.env = dict(outer)
        self._narrow(node.left, isinstance(node.operator, cst.And))
        right = self.eval(node.right)
        changed = {k: v for k, v in self.frame.env.items() if k not in outer}
        self.frame.env = outer
        outer.update(changed)
        if isinstance(node.operator, cst.Or):
            left = join_all(m for m in members(left) if not (isinstance(m, Const) and m.value is None)) if left is not NONE else right
        return join(left, right)

    def on_IfExp(self, node: cst.IfExp) -> Value:
        self.eval(node.test)
        outer = self.frame.env
        self.frame.env = dict(outer)
        self._narrow(node.test, True)
        body = self.eval(node.body)
        self.frame.env = dict(outer)
        self._narrow(node.test, False)
        orelse = self.eval(node.orelse)
        self.frame.env = outer
        return join(body, orelse)

    def on_NamedExpr(self, node: cst.NamedExpr) -> Value:
        value = self.eval(node.value)
        self.assign(node.target, value, node.value)
        return value

    def on_Await(self, node: cst.Await) -> Value:
        self.eval(node.expression)
        return UNKNOWN

    def on_Yield(self, node: cst.Yield) -> Value:
        if self.frame.code is not None:
            self.frame.code.is_generator = True
        if isinstance(node.value, cst.From):
            self.frame.returns.append(foreign.iterate(self.eval(node.value.item)))
        elif node.value is not None:
            self.frame.returns.append(self.eval(node.value))
        return UNKNOWN

    def on_StarredElement(self, node: cst.StarredElement) -> Value:
        return self.eval(node.value)

    def _comprehension(self, for_in: cst.CompFor, element: Callable[[], Value]) -> Value:
        outer = self.frame.env
        self.frame.env = dict(outer)
        try:
            loop: Optional[cst.CompFor] = for_in
            while loop is not None:
                iterated = self.eval(loop.iter)
                self.assign(loop.target, self._produced(foreign.iterate(iterated), "iteration", loop.iter), None)
                for condition in loop.ifs:
                    self.eval(condition.test)
                    self._narrow(condition.test, True)
                loop = loop.inner_for_in
            return element()
        finally:
            self.frame.env = outer

    def on_ListComp(self, node: cst.ListComp) -> Value:
        return Sequence("list", None, self._comprehension(node.for_in, lambda: self.eval(node.elt)))

    def on_SetComp(self, node: cst.SetComp) -> Value:
        return Sequence("set", None, self._comprehension(node.for_in, lambda: self.eval(node.elt)))

    def on_GeneratorExp(self, node: cst.GeneratorExp) -> Value:
        return Sequence("generator", None, self._comprehension(node.for_in, lambda: self.eval(node.elt)))

    def on_DictComp(self, node: cst.DictComp) -> Value:
        def pair() -> Value:
            self.eval(node.key)
            return self.eval(node.value)

        return Dict({}, self._comprehension(node.for_in, pair))


# ---- helpers without state -----------------------------------------------------------------------------------------


def join_envs(envs: list[Env]) -> Env:
    """Names bound in any of the environments; a name missing from one is taken as the others have it."""
    result = dict(envs[0])
    for env in envs[1:]:
        for name, value in env.items():
            old = result.get(name)
            if old is None:
                result[name] = value
            elif old is not value:
                result[name] = join(old, value)
    for name in [n for n in result if "." in n]:  # what is known of an attribute holds only where every branch knows it
        if not all(name in env for env in envs):
            del result[name]
    return result


def same_env(a: Env, b: Env) -> bool:
    return len(a) == len(b) and all(v is b.get(n) or (n in b and v.key() == b[n].key()) for n, v in a.items())


def instance_of(cls: Value) -> Value:
    """An object of a class given as an abstract value (an annotation, or ``isinstance``'s second argument)."""
    if isinstance(cls, Class):
        return Instance(cls.code.qualified, cls.code)
    if isinstance(cls, Name):
        name = cls.name
        if name == "mlx.core.array":
            return Array(op="annotation")
        if name in ("torch.Tensor", "numpy.ndarray"):
            return Foreign(name)
        if name in ("torch.FloatTensor", "torch.LongTensor", "torch.BoolTensor"):
            return Foreign("torch.Tensor")
        if name.startswith("builtins."):
            short = name[9:]
            if short in ("int", "float", "bool", "str", "bytes", "complex"):
                return Scalar(short)
            return {"list": Sequence("list", None), "tuple": Sequence("tuple", None), "dict": Dict()}.get(short, UNKNOWN)
        if name.rpartition(".")[2][:1].isupper() and name.startswith(("mlx", "torch.nn", "torch.optim", "numpy", "pandas", "pathlib", "transformers")):
            return Instance(name)
        if name in ("typing.List", "typing.Sequence"):
            return Sequence("list", None)
    return UNKNOWN


def _is_instance(value: Value, cls: Value) -> bool:
    if isinstance(value, Array):
        return isinstance(cls, Name) and cls.name == "mlx.core.array"
    if isinstance(value, Foreign):
        return isinstance(cls, Name) and cls.name == value.type
    if isinstance(value, Instance) and isinstance(cls, Class):
        return value.code is not None and cls.code in value.code.ancestry()[0]
    if isinstance(value, Instance) and isinstance(cls, Name):
        return value.type == cls.name or (value.code is not None and cls.name in value.code.ancestry()[1])
    return isinstance(cls, Name) and cls.name == "builtins." + _type_name(value)


def _type_name(value: Value) -> str:
    if isinstance(value, Dict):
        return "dict"
    if isinstance(value, Tree):
        return "dict"
    if isinstance(value, Sequence):
        return value.kind
    return scalar_type(value) or "object"


def _python_binary(operator: str, left: Value, right: Value) -> Value:
    a, b = scalar_type(left), scalar_type(right)
    if operator == "%" and a == "str":
        return Scalar("str")
    if isinstance(left, Sequence) and isinstance(right, Sequence) and operator == "+" and left.kind == right.kind:
        if left.items is not None and right.items is not None:
            return Sequence(left.kind, (*left.items, *right.items))
        return Sequence(left.kind, None, join(left.joined(), right.joined()))
    if isinstance(left, Sequence) and operator == "*":
        count = constant(right, int)
        if left.items is not None and isinstance(count, int) and 0 <= count * len(left.items) <= 64:
            return Sequence(left.kind, left.items * count)
        return Sequence(left.kind, None, left.joined())
    if a is None or b is None:
        return UNKNOWN
    if isinstance(left, Const) and isinstance(right, Const):
        folded = _fold(operator, left.value, right.value)
        if folded is not None:
            return Const(folded)
    if a == b == "str":
        return Scalar("str") if operator == "+" else UNKNOWN
    if "str" in (a, b) or "bytes" in (a, b):
        return Scalar("str") if operator == "*" else UNKNOWN
    if operator == "/":
        return Scalar("float")
    return Scalar("float" if "float" in (a, b) else "int")


def _fold(operator: str, a: Any, b: Any) -> Any:
    """Constant arithmetic, where it is cheap and cannot grow without bound."""
    try:
        if isinstance(a, str) or isinstance(b, str):
            return a + b if operator == "+" and isinstance(a, str) and isinstance(b, str) and len(a) + len(b) < 500 else None
        if isinstance(a, int) and isinstance(b, int) and (abs(a) > 2**64 or abs(b) > 2**64):
            return None
        if operator == "**":
            return a**b if abs(b) <= 64 and abs(a) <= 2**16 else None
        if operator == "<<":
            return a << b if 0 <= b <= 64 else None
        table: dict[str, Callable[[], Any]] = {
            "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b, "//": lambda: a // b, "%": lambda: a % b,
        }  # fmt: skip
        return table[operator]() if operator in table else None
    except (ArithmeticError, TypeError, ValueError):
        return None


def _captured(pattern: cst.MatchPattern) -> list[str]:
    from mlxlint.model.tree import walk

    found = []
    for node in walk(pattern):
        if isinstance(node, (cst.MatchAs, cst.MatchStar)) and node.name is not None:
            found.append(node.name.value)
    return found


def _returned(name: str) -> Value:
    """What the API data says a function returns."""
    entry = api.lookup(name)
    if entry is None or not entry.signatures:
        return UNKNOWN
    found = {s.returns for s in entry.signatures}
    return Array() if found <= {"array", "mx.array"} else UNKNOWN


def _mlx_lm(name: str) -> Value:
    short = name.rpartition(".")[2]
    if short == "load":
        return Sequence("tuple", (Instance("mlx.nn.Module"), Instance("mlx_lm.tokenizer")))
    if short == "generate":
        return Scalar("str")
    if short == "stream_generate":
        return Sequence("generator", None, Instance("mlx_lm.GenerationResponse"))
    if short[:1].isupper():
        return Instance(name)
    return UNKNOWN
