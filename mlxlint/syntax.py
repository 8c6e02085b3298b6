"""A module's abstract syntax in LibCST's nodes, made of what Python's own parser tells in an eighth of LibCST's time.

The nodes are LibCST's without what only the text needs: whitespace, comments, parentheses, commas. These fields are not
set. What is read of them for findings and fixes is in :mod:`mlxlint.concrete`.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, TypeVar

import libcst as cst

from mlxlint import nodes
from mlxlint.parse import parse
from mlxlint.source import split_lines

T = TypeVar("T")
Make = Callable[[Any, "_Text"], Any]
_STRING = re.compile(  # one, of those that Python may write one after the other
    r"[bBrRuU]{0,2}(?:"
    r"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''|\"\"\"[^\"\\]*(?:(?:\\.|\"(?!\"\"))[^\"\\]*)*\"\"\""
    r"|'(?!'')[^'\\]*(?:\\.[^'\\]*)*'|\"(?!\"\")[^\"\\]*(?:\\.[^\"\\]*)*\")",
    re.DOTALL,
)
_PLAIN = r"[^{}\[\]'\"\\\n!:=#]*"
_EXPRESSION = rf"{_PLAIN}(?:\[[^{{}}\[\]'\"\\\n!=#]*\]{_PLAIN})*"  # in a formatted string, and with no string in it
_FORMAT = r"[^{}()\[\]'\"\\\n]*"
_FIELD = rf"\{{{_EXPRESSION}(?:![rsa])?(?::{_FORMAT})?\}}"
_FORMATTED = re.compile(  # a string on one line, with such fields alone
    "([fF][rR]?|[rR][fF])(?:"
    + "|".join(rf"{q}([^{q}{{}}\\\n]*(?:(?:\\[^N]|{_FIELD})[^{q}{{}}\\\n]*)*){q}(?!{q})" for q in "'\"")
    + ")"
)
_PART = re.compile(rf"\{{({_EXPRESSION})(?:!([rsa]))?(?::({_FORMAT}))?\}}|([^{{]+)")
_BETWEEN = re.compile(r"(?:[ \t\f\r\n\\]|#[^\r\n]*)*")  # strings that are one
_NAMED = {True: "True", False: "False", None: "None"}
_new = object.__new__
assert nodes  # whose classes can be filled


@dataclass(frozen=True)
class Syntax:
    """The tree of a text.

    ``spans``: where each statement of the module's body begins, with what stands above it, and where its last line
    ends, in characters. None: the tree is LibCST's own, with all that the text has.
    """

    text: str
    tree: cst.Module
    spans: Sequence[tuple[int, int]] | None = None
    _told: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)

    def told(self, tell: Callable[[Any], T], node: cst.CSTNode) -> T:
        """``tell(node)``, which rests on the syntax alone: once for all that is made of this text."""
        key = (tell, node)
        if key not in self._told:
            self._told[key] = tell(node)
        found: T = self._told[key]
        return found


def read(text: str, known: Syntax | None = None) -> Syntax:
    """The syntax of a text; of what it has in common with a known one the nodes are the same.

    Raises:
        cst.ParserSyntaxError: when the text is not Python, or nests deeper than Python takes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
        return _syntax(module, text, known)
    except (SyntaxError, ValueError, RecursionError, MemoryError, _Unknown):
        return Syntax(text, parse(text))


class _Unknown(Exception):
    """A node of a Python newer than this module."""


class _Text:
    """The text that nodes are taken from."""

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self.is_ascii = text.isascii()

    def of(self, node: Any) -> str:
        """The source of a node."""
        return self.between((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))

    def between(self, begin: tuple[int, int], stop: tuple[int, int]) -> str:
        """What stands between two places, as Python's nodes have them: rows from 1, columns in bytes."""
        (first, start), (last, end) = begin, stop
        first, last = first - 1, last - 1
        if not self.is_ascii:
            start, end = self._characters(first, start), self._characters(last, end)
        if first == last:
            return str(self.lines[first][start:end])
        return "".join([self.lines[first][start:], *self.lines[first + 1 : last], self.lines[last][:end]])

    def _characters(self, row: int, count: int) -> int:
        """How many characters the first so many bytes of a line are."""
        return len(self.lines[row].encode()[:count].decode())

    def begins_line(self, node: Any) -> bool:
        """Whether nothing stands before a statement in its logical line."""
        row = node.lineno - 1
        before = self.lines[row - 1].rstrip("\r\n") if row else ""
        continues = before.endswith("\\") and "#" not in before
        return not continues and self.lines[row].encode()[: node.col_offset].isspace()


def _made(kind: type, **fields: Any) -> Any:
    node: Any = _new(kind)
    for name, value in fields.items():
        setattr(node, name, value)
    return node


# ---- expressions -----------------------------------------------------------------------------------------------------


def _expression(node: Any, text: _Text) -> Any:
    return _EXPRESSIONS[type(node)](node, text)


def _maybe(node: Any, text: _Text) -> Any:
    return None if node is None else _EXPRESSIONS[type(node)](node, text)


def _named(value: str) -> Any:
    made: Any = _new(cst.Name)
    made.value = value
    return made


def _dotted(name: str) -> Any:
    first, *others = name.split(".")
    found = _named(first)
    for other in others:
        found = _made(cst.Attribute, value=found, attr=_named(other))
    return found


def _name(node: ast.Name, text: _Text) -> Any:
    made: Any = _new(cst.Name)
    made.value = node.id
    return made


def _attribute(node: ast.Attribute, text: _Text) -> Any:
    made: Any = _new(cst.Attribute)
    made.value = _EXPRESSIONS[type(node.value)](node.value, text)
    made.attr = _named(node.attr)
    return made


def _constant(node: ast.Constant, text: _Text) -> Any:
    value = node.value
    kind = type(value)
    if kind is bool or value is None:
        return _named(_NAMED[value])  # type: ignore[index]
    if kind is str or kind is bytes:
        return _string(text.of(node))
    if value is ...:
        return _new(cst.Ellipsis)
    made: Any = _new(cst.Integer if kind is int else cst.Float if kind is float else cst.Imaginary)
    made.value = text.of(node)
    return made


def _string(code: str) -> Any:
    """Of one or several, one after the other; by LibCST where they are not plain."""
    pieces, at = [], 0
    while at < len(code):
        if (found := _FORMATTED.match(code, at)) is not None:
            pieces.append(_formatted(found))
        elif (found := _STRING.match(code, at)) is not None:
            pieces.append(_made(cst.SimpleString, value=found[0]))
        else:
            return cst.parse_expression(f"({code})")
        at = _BETWEEN.match(code, found.end()).end()  # type: ignore[union-attr]
    made = pieces.pop()
    while pieces:
        made = _made(cst.ConcatenatedString, left=pieces.pop(), right=made)
    return made


def _formatted(found: re.Match[str]) -> Any:
    inner = found[3] if found[2] is None else found[2]
    quote = found[0][-1]
    parts = [_formatted_part(part) for part in _PART.finditer(inner)]
    return _made(cst.FormattedString, start=found[1] + quote, parts=parts, end=quote)


def _formatted_part(found: re.Match[str]) -> Any:
    code, conversion, form, plain = found.groups()
    if code is None:
        return _made(cst.FormattedStringText, value=plain)
    code = f"({code})"
    return _made(
        cst.FormattedStringExpression,
        expression=_expression(ast.parse(code, mode="eval").body, _Text(code)),
        conversion=conversion,
        format_spec=None if form is None else [_made(cst.FormattedStringText, value=form)] if form else [],
    )


def _literally(node: ast.expr, text: _Text) -> Any:
    return _string(text.of(node))


def _call(node: ast.Call, text: _Text) -> Any:
    made: Any = _new(cst.Call)
    made.func = _EXPRESSIONS[type(node.func)](node.func, text)
    made.args = _arguments(node.args, node.keywords, text)
    return made


def _arguments(positional: Sequence[ast.expr], keywords: Sequence[ast.keyword], text: _Text) -> list[Any]:
    found = [_argument(node, text) for node in positional]
    if not keywords:
        return found
    found += [_keyword(node, text) for node in keywords]
    if any(type(node) is ast.Starred for node in positional):  # which may stand after keywords
        places = map(_place, (*positional, *keywords))
        found = [made for _, made in sorted(zip(places, found, strict=True), key=lambda pair: pair[0])]
    return found


def _argument(node: Any, text: _Text) -> Any:
    made: Any = _new(cst.Arg)
    made.keyword = None
    if type(node) is ast.Starred:
        made.star, node = "*", node.value
    else:
        made.star = ""
    made.value = _EXPRESSIONS[type(node)](node, text)
    return made


def _keyword(node: ast.keyword, text: _Text) -> Any:
    made: Any = _new(cst.Arg)
    made.star, made.keyword = ("**", None) if node.arg is None else ("", _named(node.arg))
    made.value = _EXPRESSIONS[type(node.value)](node.value, text)
    return made


def _subscript(node: ast.Subscript, text: _Text) -> Any:
    made: Any = _new(cst.Subscript)
    made.value = _EXPRESSIONS[type(node.value)](node.value, text)
    inner: Any = node.slice
    is_bare = type(inner) is ast.Tuple and inner.elts and not _is_parenthesised(inner, text)
    made.slice = [_element_of_subscript(item, text) for item in (inner.elts if is_bare else [inner])]
    return made


def _is_parenthesised(node: ast.Tuple, text: _Text) -> bool:
    code = text.of(node)
    if not code.startswith("(") or _place(node) == _place(node.elts[0]):
        return False
    try:  # the first and the last parenthesis may be those of the first and of the last element
        ast.parse(f"[{code[1:-1]}\n]")
    except SyntaxError:
        return False
    return True


def _place(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _element_of_subscript(node: Any, text: _Text) -> Any:
    made: Any = _new(cst.SubscriptElement)
    inner: Any = _new(cst.Slice if type(node) is ast.Slice else cst.Index)
    made.slice = inner
    if type(node) is ast.Slice:
        inner.lower = _maybe(node.lower, text)
        inner.upper = _maybe(node.upper, text)
        inner.step = _maybe(node.step, text)
        return made
    inner.star = None
    if type(node) is ast.Starred:
        inner.star, node = "*", node.value
    inner.value = _EXPRESSIONS[type(node)](node, text)
    return made


def _binary(node: ast.BinOp, text: _Text) -> Any:
    made: Any = _new(cst.BinaryOperation)
    made.left = _EXPRESSIONS[type(node.left)](node.left, text)
    made.operator = _new(_BINARY[type(node.op)])
    made.right = _EXPRESSIONS[type(node.right)](node.right, text)
    return made


def _unary(node: ast.UnaryOp, text: _Text) -> Any:
    return _made(cst.UnaryOperation, operator=_new(_UNARY[type(node.op)]), expression=_expression(node.operand, text))


def _boolean(node: ast.BoolOp, text: _Text) -> Any:
    """LibCST nests what Python lists: ``(a and b) and c``."""
    kind = cst.And if type(node.op) is ast.And else cst.Or
    first, *others = node.values
    found = _expression(first, text)
    for value in others:
        found = _made(cst.BooleanOperation, left=found, operator=_new(kind), right=_expression(value, text))
    return found


def _comparison(node: ast.Compare, text: _Text) -> Any:
    targets = [
        _made(cst.ComparisonTarget, operator=_operator(op), comparator=_expression(value, text))
        for op, value in zip(node.ops, node.comparators, strict=True)
    ]
    return _made(cst.Comparison, left=_expression(node.left, text), comparisons=targets)


def _operator(op: ast.cmpop) -> Any:
    made: Any = _new(_COMPARISONS[type(op)])
    if type(op) is ast.NotEq:
        made.value = "!="
    return made


def _element(node: Any, text: _Text) -> Any:
    kind: Any = cst.Element
    if type(node) is ast.Starred:
        kind, node = cst.StarredElement, node.value
    made: Any = _new(kind)
    made.value = _EXPRESSIONS[type(node)](node, text)
    return made


def _sequence(kind: type) -> Make:
    return lambda node, text: _made(kind, elements=[_element(item, text) for item in node.elts])


def _dict(node: ast.Dict, text: _Text) -> Any:
    elements = [
        _made(cst.StarredDictElement, value=_expression(value, text))
        if key is None
        else _made(cst.DictElement, key=_expression(key, text), value=_expression(value, text))
        for key, value in zip(node.keys, node.values, strict=True)
    ]
    return _made(cst.Dict, elements=elements)


def _comprehension(kind: type) -> Make:
    return lambda node, text: _made(kind, elt=_expression(node.elt, text), for_in=_for_in(node.generators, text))


def _dict_comprehension(node: ast.DictComp, text: _Text) -> Any:
    key, value = _expression(node.key, text), _expression(node.value, text)
    return _made(cst.DictComp, key=key, value=value, for_in=_for_in(node.generators, text))


def _for_in(generators: Sequence[ast.comprehension], text: _Text) -> Any:
    found = None
    for node in reversed(generators):
        found = _made(
            cst.CompFor,
            target=_expression(node.target, text),
            iter=_expression(node.iter, text),
            ifs=[_made(cst.CompIf, test=_expression(test, text)) for test in node.ifs],
            inner_for_in=found,
            asynchronous=_asynchronous(bool(node.is_async)),
        )
    return found


def _asynchronous(value: bool) -> Any:
    return _new(cst.Asynchronous) if value else None


def _conditional(node: ast.IfExp, text: _Text) -> Any:
    body, test = _expression(node.body, text), _expression(node.test, text)
    return _made(cst.IfExp, test=test, body=body, orelse=_expression(node.orelse, text))


def _lambda(node: ast.Lambda, text: _Text) -> Any:
    return _made(cst.Lambda, params=_parameters(node.args, text), body=_expression(node.body, text))


def _assignment_expression(node: ast.NamedExpr, text: _Text) -> Any:
    return _made(cst.NamedExpr, target=_expression(node.target, text), value=_expression(node.value, text))


def _await(node: ast.Await, text: _Text) -> Any:
    return _made(cst.Await, expression=_expression(node.value, text))


def _yield(node: ast.Yield, text: _Text) -> Any:
    return _made(cst.Yield, value=_maybe(node.value, text))


def _yield_from(node: ast.YieldFrom, text: _Text) -> Any:
    return _made(cst.Yield, value=_made(cst.From, item=_expression(node.value, text)))


# ---- parameters ------------------------------------------------------------------------------------------------------


def _parameters(node: ast.arguments, text: _Text) -> Any:
    made: Any = _new(cst.Parameters)
    positional = [*node.posonlyargs, *node.args]
    defaults = [None] * (len(positional) - len(node.defaults)) + list(node.defaults)
    found = [_parameter(arg, "", default, text) for arg, default in zip(positional, defaults, strict=True)]
    made.posonly_params = found[: len(node.posonlyargs)]
    made.params = found[len(node.posonlyargs) :]
    made.posonly_ind = _new(cst.ParamSlash) if node.posonlyargs else cst.MaybeSentinel.DEFAULT
    made.kwonly_params = [
        _parameter(arg, "", default, text) for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
    ]
    made.star_arg = cst.MaybeSentinel.DEFAULT
    if node.vararg is not None:
        made.star_arg = _parameter(node.vararg, "*", None, text)
    elif node.kwonlyargs:
        made.star_arg = _new(cst.ParamStar)
    made.star_kwarg = None if node.kwarg is None else _parameter(node.kwarg, "**", None, text)
    return made


def _parameter(node: ast.arg, star: str, default: ast.expr | None, text: _Text) -> Any:
    made: Any = _new(cst.Param)
    made.name = _named(node.arg)
    made.annotation = _annotation(node.annotation, text)
    made.default = None if default is None else _EXPRESSIONS[type(default)](default, text)
    made.star = star
    return made


def _annotation(node: Any, text: _Text) -> Any:
    if node is None:
        return None
    made: Any = _new(cst.Annotation)
    made.annotation = _EXPRESSIONS[type(node)](node, text)
    return made


# ---- simple statements -----------------------------------------------------------------------------------------------


def _assign(node: ast.Assign, text: _Text) -> Any:
    made: Any = _new(cst.Assign)
    made.targets = targets = []
    for target in node.targets:
        item: Any = _new(cst.AssignTarget)
        item.target = _EXPRESSIONS[type(target)](target, text)
        targets.append(item)
    made.value = _EXPRESSIONS[type(node.value)](node.value, text)
    return made


def _annotated_assign(node: ast.AnnAssign, text: _Text) -> Any:
    target, annotation = _expression(node.target, text), _annotation(node.annotation, text)
    return _made(cst.AnnAssign, target=target, annotation=annotation, value=_maybe(node.value, text))


def _augmented_assign(node: ast.AugAssign, text: _Text) -> Any:
    target, operator = _expression(node.target, text), _new(_AUGMENTED[type(node.op)])
    return _made(cst.AugAssign, target=target, operator=operator, value=_expression(node.value, text))


def _expression_statement(node: ast.Expr, text: _Text) -> Any:
    made: Any = _new(cst.Expr)
    made.value = _EXPRESSIONS[type(node.value)](node.value, text)
    return made


def _return(node: ast.Return, text: _Text) -> Any:
    return _made(cst.Return, value=_maybe(node.value, text))


def _import(node: ast.Import, text: _Text) -> Any:
    return _made(cst.Import, names=_aliases(node.names))


def _import_from(node: ast.ImportFrom, text: _Text) -> Any:
    return _made(
        cst.ImportFrom,
        module=None if node.module is None else _dotted(node.module),
        names=_new(cst.ImportStar) if node.names[0].name == "*" else _aliases(node.names),
        relative=[_new(cst.Dot) for _ in range(node.level)],
    )


def _aliases(names: Iterable[ast.alias]) -> list[Any]:
    return [_made(cst.ImportAlias, name=_dotted(node.name), asname=_as_name(node.asname)) for node in names]


def _as_name(name: str | None) -> Any:
    return None if name is None else _made(cst.AsName, name=_named(name))


def _raise(node: ast.Raise, text: _Text) -> Any:
    cause = None if node.cause is None else _made(cst.From, item=_expression(node.cause, text))
    return _made(cst.Raise, exc=_maybe(node.exc, text), cause=cause)


def _assert(node: ast.Assert, text: _Text) -> Any:
    return _made(cst.Assert, test=_expression(node.test, text), msg=_maybe(node.msg, text))


def _delete(node: ast.Delete, text: _Text) -> Any:
    targets = [_expression(target, text) for target in node.targets]
    if len(targets) == 1:
        return _made(cst.Del, target=targets[0])
    return _made(cst.Del, target=_made(cst.Tuple, elements=[_made(cst.Element, value=target) for target in targets]))


def _names(kind: type) -> Make:
    return lambda node, text: _made(kind, names=[_made(cst.NameItem, name=_named(name)) for name in node.names])


def _alone(kind: type) -> Make:
    return lambda node, text: _new(kind)


# ---- compound statements ---------------------------------------------------------------------------------------------


def _block(body: Sequence[ast.stmt], text: _Text) -> Any:
    if text.begins_line(body[0]):
        made: Any = _new(cst.IndentedBlock)
        made.body = [_line(nodes, text) for nodes in _lines(body)]
    else:
        made = _new(cst.SimpleStatementSuite)
        made.body = [_SIMPLE[type(node)](node, text) for node in body]
    return made


def _lines(body: Iterable[ast.stmt]) -> list[list[ast.stmt]]:
    """The statements of a block, simple ones of one line together."""
    found: list[list[ast.stmt]] = []
    end: int | None = 0
    for node in body:
        if node.lineno == end and type(node) in _SIMPLE:
            found[-1].append(node)
        else:
            found.append([node])
        end = node.end_lineno
    return found


def _line(nodes: Sequence[ast.stmt], text: _Text) -> Any:
    if type(nodes[0]) not in _SIMPLE:
        return _COMPOUND[type(nodes[0])](nodes[0], text)
    made: Any = _new(cst.SimpleStatementLine)
    made.body = [_SIMPLE[type(node)](node, text) for node in nodes]
    return made


def _syntax(node: ast.Module, text: str, known: Syntax | None) -> Syntax:
    source, lines = _Text(text), _lines(node.body)
    spans = _spans(lines, 0, source)
    made: Any = _new(cst.Module)
    made.body = []
    reusable = _by_text(known)
    for line, (start, end) in zip(lines, spans, strict=True):
        same = reusable.get(text[start:end])
        made.body.append(same.pop() if same else _line(line, source))
    return Syntax(text, made, spans)


def _spans(lines: Iterable[list[ast.stmt]], row: int, text: _Text) -> list[tuple[int, int]]:
    """Where each line of a block begins, with what stands above it from a row on, and where it ends."""
    starts = [0, *accumulate(map(len, text.lines))]
    return list(pairwise([starts[row], *(starts[nodes[-1].end_lineno or 0] for nodes in lines)]))


def spans_in_class(text: str) -> list[tuple[int, int]]:
    """The spans of the statements in the body of the one class that a text holds, as :class:`Syntax` has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(text).body[0].body  # type: ignore[attr-defined]
    source = _Text(text)
    row = min(node.lineno for node in (body[0], *getattr(body[0], "decorator_list", ()))) - 1
    while source.lines[row - 1].lstrip().startswith("#"):
        row -= 1
    return _spans(_lines(body), row, source)


def _by_text(known: Syntax | None) -> dict[str, list[Any]]:
    """The statements of a module's body, the last first where some are written alike."""
    found: dict[str, list[Any]] = {}
    if known is not None and known.spans is not None:
        for statement, (start, end) in reversed([*zip(known.tree.body, known.spans, strict=True)]):
            found.setdefault(known.text[start:end], []).append(statement)
    return found


def _else(body: Sequence[ast.stmt], text: _Text) -> Any:
    return _made(cst.Else, body=_block(body, text)) if body else None


def _if(node: ast.If, text: _Text) -> Any:
    made = last = _made(cst.If, test=_expression(node.test, text), body=_block(node.body, text))
    while _is_elif(node.orelse, text):
        node = node.orelse[0]  # type: ignore[assignment]
        last.orelse = _made(cst.If, test=_expression(node.test, text), body=_block(node.body, text))
        last = last.orelse
    last.orelse = _else(node.orelse, text)
    return made


def _is_elif(orelse: Sequence[ast.stmt], text: _Text) -> bool:
    if len(orelse) != 1 or type(orelse[0]) is not ast.If:
        return False
    node = orelse[0]
    return text.lines[node.lineno - 1].lstrip().startswith("elif")


def _for(node: ast.For | ast.AsyncFor, text: _Text) -> Any:
    return _made(
        cst.For,
        target=_expression(node.target, text),
        iter=_expression(node.iter, text),
        body=_block(node.body, text),
        orelse=_else(node.orelse, text),
        asynchronous=_asynchronous(type(node) is ast.AsyncFor),
    )


def _while(node: ast.While, text: _Text) -> Any:
    test, body = _expression(node.test, text), _block(node.body, text)
    return _made(cst.While, test=test, body=body, orelse=_else(node.orelse, text))


def _with(node: ast.With | ast.AsyncWith, text: _Text) -> Any:
    items = [
        _made(
            cst.WithItem,
            item=_expression(item.context_expr, text),
            asname=None
            if item.optional_vars is None
            else _made(cst.AsName, name=_expression(item.optional_vars, text)),
        )
        for item in node.items
    ]
    is_async = _asynchronous(type(node) is ast.AsyncWith)
    return _made(cst.With, items=items, body=_block(node.body, text), asynchronous=is_async)


def _try(kind: type, handler_kind: type) -> Make:
    def make(node: ast.Try, text: _Text) -> Any:
        body = _block(node.body, text)
        handlers = [_handler(handler_kind, handler, text) for handler in node.handlers]
        orelse = _else(node.orelse, text)
        final = _made(cst.Finally, body=_block(node.finalbody, text)) if node.finalbody else None
        return _made(kind, body=body, handlers=handlers, orelse=orelse, finalbody=final)

    return make


def _handler(kind: type, node: ast.ExceptHandler, text: _Text) -> Any:
    return _made(kind, type=_maybe(node.type, text), name=_as_name(node.name), body=_block(node.body, text))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, text: _Text) -> Any:
    return _made(
        cst.FunctionDef,
        decorators=_decorators(node, text),
        name=_named(node.name),
        params=_parameters(node.args, text),
        returns=_annotation(node.returns, text),
        body=_block(node.body, text),
        asynchronous=_asynchronous(type(node) is ast.AsyncFunctionDef),
        type_parameters=_type_parameters(node, text),
    )


def _class(node: ast.ClassDef, text: _Text) -> Any:
    arguments = _arguments(node.bases, node.keywords, text)
    return _made(
        cst.ClassDef,
        decorators=_decorators(node, text),
        name=_named(node.name),
        bases=[arg for arg in arguments if arg.keyword is None and arg.star != "**"],
        keywords=[arg for arg in arguments if arg.keyword is not None or arg.star == "**"],
        body=_block(node.body, text),
        type_parameters=_type_parameters(node, text),
    )


def _decorators(node: Any, text: _Text) -> list[Any]:
    return [_made(cst.Decorator, decorator=_expression(item, text)) for item in node.decorator_list]


def _type_parameters(node: Any, text: _Text) -> Any:
    """By LibCST, of what is written between the brackets."""
    given = getattr(node, "type_params", ())  # Python 3.12 and newer
    if not given:
        return None
    code = text.between((given[0].lineno, given[0].col_offset), (given[-1].end_lineno, given[-1].end_col_offset))
    alias: Any = cst.parse_module(f"type _[{code}] = 0").body[0]
    return alias.body[0].type_parameters


def _type_alias(node: Any, text: _Text) -> Any:
    line: Any = cst.parse_module(text.of(node)).body[0]
    return line.body[0]


def _match(node: ast.stmt, text: _Text) -> Any:
    """By LibCST: patterns have a grammar of their own."""
    lines = text.lines[node.lineno - 1 : node.end_lineno]
    if not node.col_offset:
        return cst.parse_module("".join(lines)).body[0]
    around: Any = cst.parse_module("if 1:\n" + "".join(lines)).body[0]
    return around.body.body[0]


class _Makers(dict[type, Make]):
    def __missing__(self, kind: type) -> Make:
        raise _Unknown(kind)


_EXPRESSIONS = _Makers(
    {
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Constant: _constant,
        ast.JoinedStr: _literally,
        ast.Call: _call,
        ast.Subscript: _subscript,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.Compare: _comparison,
        ast.Tuple: _sequence(cst.Tuple),
        ast.List: _sequence(cst.List),
        ast.Set: _sequence(cst.Set),
        ast.Dict: _dict,
        ast.ListComp: _comprehension(cst.ListComp),
        ast.SetComp: _comprehension(cst.SetComp),
        ast.GeneratorExp: _comprehension(cst.GeneratorExp),
        ast.DictComp: _dict_comprehension,
        ast.IfExp: _conditional,
        ast.Lambda: _lambda,
        ast.NamedExpr: _assignment_expression,
        ast.Await: _await,
        ast.Yield: _yield,
        ast.YieldFrom: _yield_from,
    }
)
_SIMPLE: dict[type, Make] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated_assign,
    ast.AugAssign: _augmented_assign,
    ast.Expr: _expression_statement,
    ast.Return: _return,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.Global: _names(cst.Global),
    ast.Nonlocal: _names(cst.Nonlocal),
    ast.Pass: _alone(cst.Pass),
    ast.Break: _alone(cst.Break),
    ast.Continue: _alone(cst.Continue),
}
_COMPOUND = _Makers(
    {
        ast.If: _if,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Try: _try(cst.Try, cst.ExceptHandler),
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.ClassDef: _class,
        ast.Match: _match,
    }
)
if hasattr(ast, "TryStar"):  # Python 3.11 and newer
    _COMPOUND[ast.TryStar] = _try(cst.TryStar, cst.ExceptStarHandler)
if hasattr(ast, "TypeAlias"):  # 3.12
    _SIMPLE[ast.TypeAlias] = _type_alias
if hasattr(ast, "TemplateStr"):  # 3.14
    _EXPRESSIONS[ast.TemplateStr] = _literally
_BINARY: dict[type, type] = {
    ast.Add: cst.Add,
    ast.Sub: cst.Subtract,
    ast.Mult: cst.Multiply,
    ast.Div: cst.Divide,
    ast.FloorDiv: cst.FloorDivide,
    ast.Mod: cst.Modulo,
    ast.Pow: cst.Power,
    ast.LShift: cst.LeftShift,
    ast.RShift: cst.RightShift,
    ast.BitAnd: cst.BitAnd,
    ast.BitOr: cst.BitOr,
    ast.BitXor: cst.BitXor,
    ast.MatMult: cst.MatrixMultiply,
}
_AUGMENTED = {kind: getattr(cst, f"{operator.__name__}Assign") for kind, operator in _BINARY.items()}
_UNARY: dict[type, type] = {ast.Not: cst.Not, ast.USub: cst.Minus, ast.UAdd: cst.Plus, ast.Invert: cst.BitInvert}
_COMPARISONS: dict[type, type] = {
    ast.Eq: cst.Equal,
    ast.NotEq: cst.NotEqual,
    ast.Lt: cst.LessThan,
    ast.LtE: cst.LessThanEqual,
    ast.Gt: cst.GreaterThan,
    ast.GtE: cst.GreaterThanEqual,
    ast.Is: cst.Is,
    ast.IsNot: cst.IsNot,
    ast.In: cst.In,
    ast.NotIn: cst.NotIn,
}
