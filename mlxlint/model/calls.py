"""Calls: of the project's functions and classes, of MLX, of other frameworks, of transformed functions."""

from __future__ import annotations

import libcst as cst

from mlxlint.model import api, foreign, language_models, layers, names, ops
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode, Env, FunctionCode
from mlxlint.model.machine import Machine, produced
from mlxlint.model.transformed import TRANSFORMS, array_parameters
from mlxlint.model.values import (
    CERTAIN,
    LIKELY,
    NONE,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Either,
    Foreign,
    Function,
    Instance,
    Name,
    Partial,
    Scalar,
    Sequence,
    Tree,
    Value,
    as_array,
    constant,
    join,
    join_all,
    scalar_type,
    weaker,
)

MAX_DEPTH = 6  # nested calls of the project's functions
MAX_CONTEXTS = 12  # argument combinations for which one function is run
MAX_STEPS = 400_000  # statements run for one module, all contexts together
MAX_AWAY = 100  # ... in other modules than the linted one, before calls made there are followed no more
WRAPPERS = frozenset(
    """
        functools.partial mlx.core.compile mlx.core.grad mlx.core.value_and_grad mlx.core.vmap
        mlx.core.checkpoint mlx.nn.value_and_grad mlx.nn.utils.checkpoint mlx.core.custom_function
        functools.lru_cache functools.cache functools.wraps torch.no_grad torch.inference_mode
        contextlib.contextmanager
        """.split()
)
TRANSPARENT = frozenset(
    {"functools.lru_cache", "functools.cache", "functools.wraps", "torch.no_grad", "torch.inference_mode"}
)


class Calls(Machine):
    """What a call returns."""

    def call(self, function: Value, args: Arguments, node: cst.CSTNode | None = None) -> Value:
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
            results = [
                self.call(m, args, node) for m in function.members if m is not UNKNOWN and not isinstance(m, Const)
            ]
            return join_all(results) if results else UNKNOWN
        return UNKNOWN

    def call_function(self, code: FunctionCode, args: Arguments) -> Value:
        bound = self._bind(code, args)
        shown = self.calls_of(code)
        keys = {name: value.key() for name, value in bound.items()}
        if self.seeing:
            shown.see(bound, keys)
        annotated = self._stated_return(code)
        if shown.running > 1 or self.depth >= MAX_DEPTH or self.steps > MAX_STEPS or self._is_far_away():
            return annotated
        key = tuple(keys.items())
        if key in shown.returns:
            return shown.returns[key]
        if len(shown.returns) >= MAX_CONTEXTS:
            bound, key = {}, ()  # what it returns whatever it is given
            if key in shown.returns:
                return shown.returns[key]
        shown.returns[key] = annotated  # what a recursive call gets
        env = self.parameters(code, bound)
        first = shown.recorded is None and shown.at_analysis < 0 and not self.loading
        if first:
            shown.recorded = dict(env)
        self.depth += 1
        try:
            result = self.activate(code, env, recording=first)
        finally:
            self.depth -= 1
        if code.node and isinstance(code.node, cst.FunctionDef) and code.node.asynchronous is not None:
            result = UNKNOWN
        if result is UNKNOWN:
            result = annotated
        elif isinstance(annotated, Array) and as_array(result) is not None:
            result = weaker(result, CERTAIN)
        shown.returns[key] = result
        return result

    def _is_far_away(self) -> bool:
        """Whether a call is made by what was called outside the linted module, and enough was followed there."""
        return self.away > MAX_AWAY and self.depth > 0 and self.frame.module is not self.linted

    def _stated_return(self, code: FunctionCode) -> Value:
        if isinstance(code.node, cst.FunctionDef) and code.node.returns is not None:
            return self.stated(code, code.node.returns)
        return UNKNOWN

    def _bind(self, code: FunctionCode, args: Arguments) -> Env:
        """The parameters that a call surely gives values to."""
        bound: Env = {}
        positional = code.positional
        for param, value in zip(positional, args.positional):
            bound[param.name.value] = value
        if isinstance(code.node.params.star_arg, cst.Param):
            rest = args.positional[len(positional) :]
            bound[code.node.params.star_arg.name.value] = Sequence(
                "tuple", None if args.starred else rest, join_all(rest) if rest else UNKNOWN
            )
        for name, value in args.keywords.items():
            if name in code.named:
                bound[name] = value
        if code.owner is not None and not code.is_static and positional and isinstance(args.get(0), (Instance, Class)):
            bound.pop(positional[0].name.value, None)
        if not args.starred:
            for name, default in code.optional:
                if name not in bound:
                    bound[name] = self.default(code, name, default)
        return bound

    def _construct(self, code: ClassCode, args: Arguments, node: cst.CSTNode | None) -> Value:
        instance = Instance(code.qualified, code, node=node)
        init = code.method("__init__")
        if init is not None:
            self.call_function(init, args.after(instance))
        elif code.fields:
            for index, (name, stated) in enumerate(code.fields.items()):
                self._learn_field(code, name, stated, args.get(index, name, default=code.default(name)))
        return instance

    def _learn_field(self, code: ClassCode, name: str, stated: Value, value: Value) -> None:
        if isinstance(stated, Scalar) and scalar_type(value) != stated.type:
            value = stated  # some object's number is not known
        if value is not UNKNOWN and not (isinstance(value, Const) and value.value is None):
            self.objects_of(code).set(name, value)

    def _call_instance(self, instance: Instance, args: Arguments, node: cst.CSTNode | None) -> Value:
        if instance.code is not None:
            method = instance.code.method("__call__")
            if method is not None:
                return self.call_function(method, args.after(instance))
            bases = [n for n in instance.code.ancestry()[1] if n.startswith("mlx.nn.") and n != "mlx.nn.Module"]
            if not bases:
                forward = instance.code.method("forward")
                if forward is None:
                    return UNKNOWN
                self.calls_of(forward).by_object = True
                return self.call_function(forward, args.after(instance))
            instance = Instance(bases[0])
        if instance.type == "mlx.nn.Sequential":
            return self._call_sequential(instance, args)
        if language_models.is_model(instance):
            return produced(language_models.logits(instance, args), instance.type, node)
        if instance.type.startswith("mlx.nn."):
            return produced(layers.call(instance, args), instance.type + ".__call__", node)
        if instance.type.startswith("torch."):
            return Foreign(foreign.TENSOR) if instance.type.startswith("torch.nn.") else UNKNOWN
        return ops.called(instance)

    def _call_sequential(self, instance: Instance, args: Arguments) -> Value:
        value = args.get(0, "x")
        if not instance.args:
            return Array(confidence=LIKELY)
        for layer in instance.args:
            value = self.call(layer, Arguments((value,), {}))
        return value

    def _call_partial(self, partial: Partial, args: Arguments, node: cst.CSTNode | None) -> Value:
        transform, inner = partial.transform, partial.inner
        if transform == "functools.partial":
            merged = Arguments((*partial.args, *args.positional), {**partial.keywords, **args.keywords}, args.starred)
            return self.call(inner, merged, node)
        if transform in ("mlx.nn.value_and_grad", "mlx.core.value_and_grad"):
            value = self.call(inner, args, node)
            if value is UNKNOWN:
                value = Array(confidence=LIKELY)
            return Sequence("tuple", (value, _gradients(transform, args, node)), node=node)
        if transform == "mlx.core.grad":
            self.call(inner, args, node)
            first = args.get(0)
            if isinstance(first, Array) and not partial.args and not partial.keywords:  # no `argnums`
                return Array(first.dtype, first.shape)
            return _gradients(transform, args, node)
        if transform == "mlx.core.vmap":
            result = self.call(inner, Arguments(tuple(foreign.iterate(a) for a in args.positional), {}))
            array = as_array(result)
            return Array(array.dtype) if array is not None else UNKNOWN
        return self.call(inner, args, node)

    def _call_name(self, function: Name, args: Arguments, node: cst.CSTNode | None) -> Value:
        name = function.name
        root = name.partition(".")[0]
        receiver = function.receiver
        if receiver is not None:
            return self._call_method(function, receiver, args, node)
        if root == "mlx":
            return self._call_mlx(name, args, node)
        if root == "mlx_lm":
            for callback, given in language_models.callbacks(args):
                self.call(callback, given)
            return produced(language_models.function(name, args), name, node)
        if root == "torch":
            return produced(foreign.torch_function(name, args), name, node)
        if root == "numpy":
            return produced(foreign.numpy_function(name[6:], args), name, node)
        if root == "builtins":
            return self._call_builtin(name[9:], args)
        if name in WRAPPERS:
            return self.wrap(name, args, node)
        if name.startswith(("copy.copy", "copy.deepcopy")):
            copied = args.get(0)
            return produced(copied.with_(op=None), name, node) if isinstance(copied, Array) else copied
        if name.startswith(("math.", "time.")):
            return Scalar(foreign.number_type(name))
        if name in ("json.dumps", "os.path.join"):
            return Scalar("str")
        if name in ("re.sub",):
            return Scalar("str")
        if root == "transformers" and (found := language_models.pretrained(name)) is not None:
            return found
        if name.rpartition(".")[2][:1].isupper() and root in ("pandas", "PIL", "transformers", "pathlib", "argparse"):
            return Instance(name, None, args.positional, args.keywords)
        return UNKNOWN

    def _call_mlx(self, name: str, args: Arguments, node: cst.CSTNode | None) -> Value:
        if name in WRAPPERS:
            return self.wrap(name, args, node)
        if name.startswith("mlx.core."):
            found = ops.core(name[9:], args)
            return produced(found if found is not None else _returned(name), name, node)
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
        return produced(found if found is not None else _returned(name), name, node)

    def _call_mapped(self, args: Arguments) -> None:
        """``tree_map`` calls its function on the leaves, which are arrays."""
        trees = args.positional[1:]
        leaves = tuple(
            Array(parameter=isinstance(t, Tree) and t.kind == "parameters", confidence=LIKELY) for t in trees
        )
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
        if name in ("setattr", "object.__setattr__") and isinstance(constant(args.get(1), str), str):
            self.store_named(args.get(0), constant(args.get(1), str), args.get(2))
            return NONE
        if name in ("staticmethod", "classmethod", "property"):
            return args.get(0)
        return foreign.builtin(name, args)

    def wrap(self, name: str, args: Arguments, node: cst.CSTNode | None) -> Value:
        index = 1 if name == "mlx.nn.value_and_grad" else 0
        inner = args.get(index, "fn", "fun", "function", "func")
        if name in TRANSPARENT:
            return (
                inner
                if isinstance(inner, (Function, Partial))
                else Partial("functools.partial", Name("builtins.staticmethod"), node=node)
            )
        if inner is UNKNOWN and not (name == "mlx.nn.value_and_grad" and args.has(index, "fn")):
            return (
                UNKNOWN
                if args.positional or name == "functools.partial"
                else Partial("functools.partial", Name(name), (), args.keywords, node=node)
            )
        rest = tuple(a for i, a in enumerate(args.positional) if i != index)
        if isinstance(inner, Function) and name in TRANSFORMS:
            self._note_arrays(inner.code, name)
        return Partial(name, inner, rest, args.keywords, node=node)

    def _note_arrays(self, code: FunctionCode, transform: str) -> None:
        """A transformed function is given arrays for what it uses as arrays."""
        shown = self.calls_of(code)
        new = array_parameters(code, transform) - shown.used.keys()
        if new:
            shown.used.update(dict.fromkeys(new, Array(op="transformed", confidence=LIKELY)))
            shown.number += 1

    def _call_method(self, function: Name, receiver: Value, args: Arguments, node: cst.CSTNode | None) -> Value:
        short = function.name.rpartition(".")[2]
        if isinstance(receiver, Array):
            return produced(ops.method(receiver, short, args), function.name, node)
        if isinstance(receiver, Foreign):
            returned = foreign.method(receiver, short, args)
            if isinstance(returned, Array):  # it was one of MLX's, whatever its annotation says
                self._rebind(node, Array(None, receiver.shape, confidence=LIKELY))
            return produced(returned, function.name, node)
        if isinstance(receiver, Instance):
            if short == "set_dtype" and language_models.is_model(receiver):
                self._rebind(node, language_models.of_dtype(receiver, args.get(0, "dtype")))
            found = language_models.method(receiver, short, args, node)
            found = found or layers.method(receiver, short, args, receiver)
            if found is not None:
                return found
            if receiver.type == foreign.GENERATOR:
                return produced(foreign.drawn(short, args), function.name, node)
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
        element = value if receiver.items == () else join(receiver.joined(), value)
        self._rebind(node, Sequence("list", None, element, receiver.confidence, receiver.node))

    def _rebind(self, node: cst.CSTNode | None, value: Value) -> None:
        """The object of a method call that changes it is another value from then on."""
        target = node.func.value if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
        if isinstance(target, cst.Name) and target.value in self.frame.env:
            self.frame.env[target.value] = value
        elif isinstance(target, cst.Attribute):
            self.store_attribute(target, value)


def _gradients(transform: str, args: Arguments, node: cst.CSTNode | None) -> Tree:
    """The gradients with respect to a module, or to what is given first, which may be a single array."""
    known = transform.startswith("mlx.nn.") or isinstance(args.get(0), (Tree, Dict))
    return Tree("gradients", CERTAIN if known else LIKELY, node)


def _returned(name: str) -> Value:
    """What the API data says a function returns."""
    entry = api.lookup(name)
    if entry is None or not entry.signatures:
        return UNKNOWN
    found = {s.returns for s in entry.signatures}
    return Array() if found <= {"array", "mx.array"} else UNKNOWN
