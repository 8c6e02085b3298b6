"""Expressions: each kind of node to its value."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache

import libcst as cst

from mlxlint.model import folding, foreign, ops, shapes
from mlxlint.model.arguments import Arguments
from mlxlint.model.machine import iterated
from mlxlint.model.narrowing import given_instead, none_tested
from mlxlint.model.uses import Uses
from mlxlint.model.values import (
    NEVER,
    NONE,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Foreign,
    Function,
    Instance,
    Name,
    Scalar,
    Sequence,
    Tree,
    Value,
    as_array,
    constant,
    join,
    join_all,
    members,
    scalar_type,
)

for _kind in (DeprecationWarning, SyntaxWarning):  # by release, of escapes in strings that LibCST has Python evaluate
    warnings.filterwarnings("ignore", category=_kind, module="<unknown>")

_BUILTINS = frozenset(dir(builtins))
OPERATORS: dict[type, str] = {
    cst.Add: "+", cst.Subtract: "-", cst.Multiply: "*", cst.Divide: "/",
    cst.FloorDivide: "//", cst.Modulo: "%", cst.Power: "**", cst.MatrixMultiply: "@",
    cst.BitAnd: "&", cst.BitOr: "|", cst.BitXor: "^", cst.LeftShift: "<<",
    cst.RightShift: ">>", cst.GreaterThan: ">", cst.GreaterThanEqual: ">=", cst.LessThan: "<",
    cst.LessThanEqual: "<=", cst.Equal: "==", cst.NotEqual: "!=", cst.AddAssign: "+",
    cst.SubtractAssign: "-", cst.MultiplyAssign: "*", cst.DivideAssign: "/", cst.FloorDivideAssign: "//",
    cst.ModuloAssign: "%", cst.PowerAssign: "**", cst.MatrixMultiplyAssign: "@", cst.BitAndAssign: "&",
    cst.BitOrAssign: "|", cst.BitXorAssign: "^", cst.LeftShiftAssign: "<<", cst.RightShiftAssign: ">>",
}  # fmt: skip
_CONSTANTS = {"None": NONE, "True": Const(True), "False": Const(False)}


class Expressions(Uses):
    """Evaluates expressions: one ``on_*`` method for each LibCST class."""

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
        value = self.frame.env.get(name) or _CONSTANTS.get(name) or self.lookup(name)
        return UNKNOWN if value is NEVER else value

    def on_Integer(self, node: cst.Integer) -> Value:
        return _integer(node.value)

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
        if len(node.value) > 200:
            return Scalar("bytes" if "b" in node.prefix else "str")
        return _string(node.value)

    def on_ConcatenatedString(self, node: cst.ConcatenatedString) -> Value:
        left, right = self.eval(node.left), self.eval(node.right)
        if (
            isinstance(left, Const)
            and isinstance(right, Const)
            and isinstance(left.value, str)
            and isinstance(right.value, str)
        ):
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
                    rest += [] if value.closed else [value.element]
                else:
                    rest.append(UNKNOWN)
                continue
            key = constant(self.eval(element.key), str)  # type: ignore[attr-defined]
            if isinstance(key, str):
                items[key] = value
            else:
                rest.append(value)
        return Dict(items, join_all(rest), closed=not rest)

    def on_Lambda(self, node: cst.Lambda) -> Value:
        for param in node.params.params:
            if param.default is not None:
                self.eval(param.default)
        return Function(self.function_code(node), node=node)

    def on_Attribute(self, node: cst.Attribute) -> Value:
        base = self.eval(node.value)
        env = self.frame.env
        if type(node.value) is cst.Name:
            stored = env.get(f"{node.value.value}.{node.attr.value}")
            if stored is not None:
                return UNKNOWN if stored is NEVER else stored
        return self.attribute(base, node.attr.value, node)

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
                if isinstance(value, Dict) and value.closed:
                    keywords.update(value.items)
                starred = True
            elif arg.keyword is not None:
                keywords[arg.keyword.value] = value
            elif not starred:
                positional.append(value)
        self.frame.calls[node] = function
        if function is UNKNOWN:
            return self.of_unknown(node, Arguments(tuple(positional), keywords, starred))
        if isinstance(function, Name) and function.name == "builtins.super":
            return self._super()
        return self.call(function, self.given(node, function, Arguments(tuple(positional), keywords, starred)), node)

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
        parts = [self.slice_part(element.slice) for element in node.slice]
        if (
            len(parts) == 1
            and isinstance(parts[0], Sequence)
            and parts[0].kind == "tuple"
            and parts[0].items is not None
        ):
            parts = list(parts[0].items)
        base = base if base is not UNKNOWN else self.indexed(node, parts)
        results = [
            self._subscript(m, parts, node) for m in members(base) if not (isinstance(m, Const) and m.value is None)
        ]
        return join_all(results) if results else UNKNOWN

    def slice_part(self, part: cst.BaseSlice) -> Value | None:
        """The value of an index; None for a slice with a colon."""
        if isinstance(part, cst.Index):
            return self.eval(part.value)
        for bound in (part.lower, part.upper, part.step):  # type: ignore[attr-defined]
            if bound is not None:
                self.eval(bound)
        return None

    def _subscript(self, base: Value, parts: list[Value | None], node: cst.Subscript) -> Value:
        if isinstance(base, Array):
            result = ops.index(base, parts)
            result.op, result.node = "mlx.core.array.__getitem__", node
            return result
        if isinstance(base, Instance) and base.type == "mlx.core.array.at":
            array = base.args[0]
            return Instance("mlx.core.array.at", None, (array,), confidence=array.confidence)
        if isinstance(base, Foreign):
            shape = shapes.index(base.shape, parts) if base.type == foreign.NDARRAY else None
            return Foreign(base.type, base.dtype, shape, node=node)
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
            return base.joined()
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
            bounds = [
                None if b is None else constant(self.frame.values.get(b, UNKNOWN), int)
                for b in (part.lower, part.upper, part.step)
            ]
            exact = all((b is None) == (v is None) for b, v in zip((part.lower, part.upper, part.step), bounds))
            if exact and bounds[2] != 0:
                return Sequence(base.kind, base.items[slice(*bounds)])
        return Sequence(base.kind, None, base.joined())

    def on_BinaryOperation(self, node: cst.BinaryOperation) -> Value:
        left, right = self.eval(node.left), self.eval(node.right)
        return self.binary(OPERATORS.get(type(node.operator), "?"), left, right, node)

    def binary(self, operator: str, left: Value, right: Value, node: cst.CSTNode) -> Value:
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
        if any(isinstance(member, Array) for value in (left, right) for member in members(value)):
            return UNKNOWN
        for value in (left, right):
            for member in members(value):
                if isinstance(member, Foreign):
                    if left is UNKNOWN and member.type != foreign.TENSOR:
                        return UNKNOWN  # MLX's array, on the left, makes one of its own
                    return Foreign(
                        foreign.NDARRAY
                        if member.type == foreign.NUMPY_SCALAR and isinstance(right, Foreign)
                        else member.type,
                        member.dtype,
                        foreign.broadcast(left, right) if operator != "@" else None,
                        op=f"operator.{operator}",
                        node=node,
                    )
        return folding.binary(operator, left, right)

    def on_Comparison(self, node: cst.Comparison) -> Value:
        left = self.eval(node.left)
        result: Value = UNKNOWN
        for comparison in node.comparisons:
            right = self.eval(comparison.comparator)
            operator = OPERATORS.get(type(comparison.operator))
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
                shape = foreign.broadcast(left, right)
                result = Foreign(kind, "bool", shape, op=f"operator.{operator}", node=node)
            else:
                result = Scalar("bool") if scalar_type(left) and scalar_type(right) else UNKNOWN
            left = right
        return result

    def on_UnaryOperation(self, node: cst.UnaryOperation) -> Value:
        value = self.eval(node.expression)
        if isinstance(node.operator, cst.Not):
            return Scalar("bool")
        operator = (
            "~" if isinstance(node.operator, cst.BitInvert) else "-" if isinstance(node.operator, cst.Minus) else "+"
        )
        if isinstance(value, Const) and isinstance(value.value, (int, float)) and operator != "~":
            return Const(-value.value) if operator == "-" else value
        array = as_array(value)
        if array is not None:
            changed: Array = array.with_(op=f"operator.{operator}", node=node, parameter=False)
            return changed
        return value if isinstance(value, (Foreign, Scalar)) else UNKNOWN

    def on_BooleanOperation(self, node: cst.BooleanOperation) -> Value:
        """``a and b and c`` in one go: each operand with what those before it leave of the names."""
        chain = [node]
        while isinstance(left := chain[-1].left, cst.BooleanOperation) and type(left.operator) is type(node.operator):
            chain.append(left)
        is_and = isinstance(node.operator, cst.And)
        outer = self.frame.env
        self.frame.env = dict(outer)
        operand = chain[-1].left
        value = self.eval(operand)
        for part in reversed(chain):
            self.narrow(operand, is_and)
            operand = part.right
            value = self._either(value, self.eval(operand), is_and)
            self.frame.values[part] = value
        changed = {k: v for k, v in self.frame.env.items() if k not in outer}
        self.frame.env = outer
        outer.update(changed)
        return value

    @staticmethod
    def _either(left: Value, right: Value, is_and: bool) -> Value:
        if is_and:
            return join(left, right)
        if left is NONE:
            return right
        return join(join_all(m for m in members(left) if not (isinstance(m, Const) and m.value is None)), right)

    def on_IfExp(self, node: cst.IfExp) -> Value:
        self.eval(node.test)
        outer = self.frame.env
        self.frame.env = dict(outer)
        self.narrow(node.test, True)
        body = self.eval(node.body)
        self.frame.env = dict(outer)
        self.narrow(node.test, False)
        orelse = self.eval(node.orelse)
        self.frame.env = outer
        if body is UNKNOWN and isinstance(node.body, cst.Name) and none_tested(node.test, cst.IsNot) == node.body.value:
            body = given_instead(orelse)
        elif (
            orelse is UNKNOWN
            and isinstance(node.orelse, cst.Name)
            and none_tested(node.test, cst.Is) == node.orelse.value
        ):
            orelse = given_instead(body)
        return join(body, orelse)

    def on_NamedExpr(self, node: cst.NamedExpr) -> Value:
        value = self.eval(node.value)
        self.assign(node.target, value, node.value)
        return value

    def on_Await(self, node: cst.Await) -> Value:
        self.eval(node.expression)
        return UNKNOWN

    def on_Yield(self, node: cst.Yield) -> Value:
        self.frame.yields = True
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
            loop: cst.CompFor | None = for_in
            while loop is not None:
                self.frame.values[loop] = UNKNOWN
                self.assign(loop.target, iterated(self.eval(loop.iter), loop.iter), None)
                for condition in loop.ifs:
                    self.eval(condition.test)
                    self.narrow(condition.test, True)
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


@lru_cache(maxsize=1024)
def _integer(code: str) -> Value:
    try:
        return Const(int(code.replace("_", ""), 0) if code != "0" else 0)
    except ValueError:
        return Scalar("int")


@lru_cache(maxsize=4096)
def _string(code: str) -> Value:
    if code[0] in "\"'" and "\\" not in code and not code.startswith(('"""', "'''")):
        return Const(code[1:-1])
    try:
        return Const(cst.SimpleString(code).evaluated_value)
    except Exception:
        return Scalar("str")
