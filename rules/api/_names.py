"""The table of PyTorch's names, and how a use of one becomes what MLX says instead."""

from __future__ import annotations

import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api, ops
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Array, Const, Scalar, Tree, Value, as_array, constant, scalar_type
from mlxlint.model.values import Sequence as SequenceValue
from mlxlint.rule import Applicability, InsertStatement, NodeEdit, NodeFix, Replace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("names.toml")
SHARED = Path(__file__).with_name("shared-names.toml")
MODULES = {"mx": "mlx.core", "nn": "mlx.nn", "optim": "mlx.optimizers", "np": "numpy"}
_HEADER = re.compile(r"^\[(\w+)\]$", re.MULTILINE)
_OPTIONAL = re.compile(r"<([^<>]*\{[^<>]*)>")
_HOLE = re.compile(r"\{(\*?)(\w+)(?::(\w+))?\}")
_MODULE = re.compile(r"\b(mx|nn|optim|np)\.")
_FUNCTION = re.compile(r"\b(tree_flatten|tree_unflatten)\(")
_DEVICES = re.compile(r"(cpu|gpu|cuda|mps|xpu|meta)(:\d+)?")
_OPENS = re.compile(r"[(\[,]\s*$|\w=$|^$")
_WHOLE = (
    cst.Name, cst.Attribute, cst.Call, cst.Subscript, cst.SimpleString, cst.BaseNumber, cst.List, cst.Dict, cst.Set,
    cst.ListComp, cst.DictComp, cst.SetComp,
)  # fmt: skip
_FREE = (cst.Arg, cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Return, cst.Expr, cst.Index, cst.If, cst.While)
_ASSIGNS = re.compile(r"[\w.]+ = ")
_EMPTY = cst.Module(body=())


@dataclass(frozen=True, slots=True)
class Form:
    """One way to use a name: its parameters (None: it is read, not called) and the text of what MLX has instead."""

    parameters: tuple[api.Parameter, ...] | None
    template: str
    exact: bool
    assigned: str | None  # what an in-place method assigns to a part of its receiver
    example: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    forms: tuple[Form, ...]
    advice: str | None

    def sketch(self) -> str | None:
        """What to do instead, in general."""
        if self.advice is not None or not self.forms:
            return self.advice
        template = _OPTIONAL.sub("", self.forms[0].template)
        text = _HOLE.sub(lambda hole: "x" if hole[2] == "self" else hole[1] + hole[2], template)
        return f"use `{text}`" if text != "x" else "leave it out"


def table() -> Mapping[str, Mapping[str, Entry]]:
    """Section -> name -> entry."""
    return {name: section(name) for name in _sections()}


@cache
def section(name: str) -> Mapping[str, Entry]:
    """Name -> entry, of one section: most files ask for no other than the shortest."""
    return {name: _entry(name, rows) for name, rows in tomllib.loads(_sections()[name]).items()}


@cache
def _sections() -> Mapping[str, str]:
    _, *parts = _HEADER.split(TABLE.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


@cache
def shared() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Section -> name in both libraries -> its row, as the file describes it."""
    content: Mapping[str, Mapping[str, Mapping[str, Any]]] = tomllib.loads(SHARED.read_text(encoding="utf-8"))
    return content


def _entry(name: str, rows: Any) -> Entry:
    listed = rows if isinstance(rows, list) else [rows]
    advice = next((row["say"] for row in listed if "say" in row), None)
    return Entry(name, tuple(_form(row) for row in listed if "mlx" in row), advice)


def _form(row: Mapping[str, Any]) -> Form:
    parameters = api.signature(f"({row['call']})").parameters if "call" in row else None
    return Form(parameters, row["mlx"], not row.get("loose", False), row.get("assign"), row.get("try"))


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A use of a name and the text that takes its place."""

    node: cst.BaseExpression
    text: str
    exact: bool
    imports: Sequence[NodeEdit] = ()

    def fix(self, certain: bool) -> NodeFix:
        applicability = Applicability.SAFE if self.exact and certain else Applicability.UNSAFE
        edits = [*self.imports, Replace(self.node, self.text)]
        return NodeFix(f"Replace by `{' '.join(self.text.split())}`", edits, applicability)


def rewrite(
    entry: Entry, use: cst.BaseExpression, receiver: cst.BaseExpression | None, context: Context
) -> Rewrite | None:
    """What to write for a use (the attribute or the name itself), as far as its arguments are known to fit."""
    call = context.parent(use)
    called = call if isinstance(call, cst.Call) and call.func is use else None
    for form in entry.forms:
        node = called if form.parameters is not None and called is not None else use
        if form.parameters is not None and called is None:
            continue
        texts = arguments_of(form, called, receiver, context)
        text = None if texts is None else fill(form.template, texts, node, context)
        if text is not None:
            return Rewrite(node, text, form.exact, imports(form.template, context))
    return None


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of an argument and the (concrete) expression it is; without one it is a parameter's default."""

    text: str
    node: cst.BaseExpression | None = None
    value: Value = UNKNOWN

    @classmethod
    def of(cls, node: cst.BaseExpression, context: Context, text: str | None = None) -> Piece:
        return cls(context.text(node) if text is None else text, context.concrete(node), context.value(node))


Pieces = Mapping[str, Sequence[Piece]]  # by parameter; several for a variadic one


def arguments_of(
    form: Form, call: cst.Call | None, receiver: cst.BaseExpression | None, context: Context
) -> Pieces | None:
    """The pieces for a form's parameters; None when the use does not fit it."""
    pieces: dict[str, Sequence[Piece]] = {}
    if receiver is not None:
        pieces["self"] = [Piece.of(receiver, context)]
    if form.parameters is None or call is None:
        return pieces if form.parameters is None else None
    if any(arg.star == "**" for arg in call.args):
        return None
    positional = [arg for arg in call.args if arg.keyword is None]
    keywords = {arg.keyword.value: arg for arg in call.args if arg.keyword is not None}
    for parameter in form.parameters:
        if parameter.name != "self":
            taken = _taken(parameter, positional, keywords)
            if taken is None:
                return None
            given = [Piece.of(arg.value, context, _argument_text(arg, context)) for arg in taken]
            pieces[parameter.name] = given or [Piece(parameter.default or "")]
        if parameter.annotation and not _fits(parameter.annotation, pieces[parameter.name], pieces.get("self", ())):
            return None
    return None if positional or keywords else pieces


def _taken(parameter: api.Parameter, positional: list[cst.Arg], keywords: dict[str, cst.Arg]) -> list[cst.Arg] | None:
    """Take a parameter's arguments away from those given; None when it has to have one and does not."""
    if parameter.kind == "var-positional":
        taken, positional[:] = list(positional), []
        return taken or None
    if parameter.name in keywords:
        return [keywords.pop(parameter.name)]
    if positional and parameter.kind != "keyword-only":
        first = positional.pop(0)
        return None if first.star else [first]
    return None if parameter.default is None else []


def _argument_text(arg: cst.Arg, context: Context) -> str:
    text = context.text(arg.value)
    bare = isinstance(arg.value, (cst.GeneratorExp, cst.NamedExpr, cst.Yield)) and not text.startswith("(")
    return arg.star + (f"({text})" if bare else text)


def _fits(annotation: str, given: Sequence[Piece], receiver: Sequence[Piece]) -> bool:
    """Whether an argument is what the annotation in the table asks for; a default always is."""
    piece = given[0]
    if piece.node is None:
        return True
    if annotation in ("ints", "sizes"):
        known = len(given) > 1 or isinstance(piece.value, (SequenceValue, Const, Scalar)) or piece.text[0] in "([*"
        return known and not (annotation == "sizes" and any("-" in each.text for each in given))
    if annotation == "kept":
        return bool(receiver) and _repeats(given, as_array(receiver[0].value)) is not None
    return _CHECKS[annotation](piece.value, piece.node)


def _repeats(given: Sequence[Piece], array: Array | None) -> list[str] | None:
    """How often each axis is repeated by ``expand`` with -1 among its sizes; None unless that is sure."""
    sizes = [constant(piece.value, int) for piece in given]
    if array is None or array.shape is None or len(array.shape) != len(given) or -1 not in sizes:
        return None
    if any(size != -1 and known != 1 for size, known in zip(sizes, array.shape, strict=True)):
        return None
    return ["1" if size == -1 else piece.text for size, piece in zip(sizes, given, strict=True)]


def is_dtype(value: Value, node: cst.CSTNode) -> bool:
    """Whether an argument is surely an MLX dtype: one by name, or some array's."""
    return ops.dtype_of(value) is not None or (isinstance(node, cst.Attribute) and node.attr.value == "dtype")


def _is_device(value: Value, node: cst.CSTNode) -> bool:
    text = constant(value, str)
    name = node.attr.value if isinstance(node, cst.Attribute) else node.value if isinstance(node, cst.Name) else ""
    return (
        bool(isinstance(text, str) and _DEVICES.fullmatch(text)) or "device" in name.lower() or name in ("gpu", "cpu")
    )


def _is_number(value: Value) -> bool:
    return scalar_type(value) in ("int", "float", "bool")


_CHECKS: Mapping[str, Callable[[Value, cst.CSTNode], bool]] = {
    "dtype": is_dtype,
    "device": _is_device,
    "array": lambda value, node: as_array(value) is not None,
    "tree": lambda value, node: isinstance(value, Tree),
    "vector": lambda value, node: getattr(as_array(value), "rank", None) == 1,
    "zero": lambda value, node: constant(value, int) == 0,
    "one": lambda value, node: constant(value, int) == 1,
    "last": lambda value, node: constant(value, int) == -1,
    "true": lambda value, node: constant(value, bool) is True,
    "false": lambda value, node: constant(value, bool) is False,
    "floor": lambda value, node: constant(value, str) == "floor",
    "number": lambda value, node: _is_number(value),
    "axis": lambda value, node: _is_number(value) or isinstance(value, SequenceValue),
    "listed": lambda value, node: isinstance(node, (cst.List, cst.ListComp)),
    "euclid": lambda value, node: constant(value, (int, float, str)) in (2, "fro"),
    "plane": lambda value, node: _is_number(value) or len(getattr(value, "items", None) or "axes") <= 2,
    "word": lambda value, node: str(constant(value, str) or "").isidentifier(),
}


def fill(template: str, pieces: Pieces, node: cst.BaseExpression, context: Context) -> str | None:
    """A template with its holes filled, under the aliases in use, to stand in the place of ``node``.

    Returns:
        None when a module is not imported, a comment would be lost, or an expression would be evaluated twice.
    """
    given = {name for name, listed in pieces.items() if any(piece.node is not None for piece in listed)}
    template = _OPTIONAL.sub(lambda part: part[1] if _names(part[1]) <= given else "", template).replace("(, ", "(")
    named = under_aliases(template, context)
    if named is None or _evaluates_twice(named, pieces) or _loses_comment(node, named, pieces, context):
        return None
    text, end = "", 0
    for hole in _HOLE.finditer(named):
        text += named[end : hole.start()]
        end = hole.end()
        filled = _filled(hole, named, pieces)
        if filled is None:
            return None
        text += filled
    return in_place_of(node, text + named[end:], context)


def _names(template: str) -> set[str]:
    return {hole[2] for hole in _HOLE.finditer(template)}


def under_aliases(template: str, context: Context) -> str | None:
    """``mx.`` and its like under the names that these modules have in the file; None when they can have none."""
    names = _names_of(template, context)
    if None in names.values():
        return None
    known = {short: found[0] for short, found in names.items() if found is not None}
    named = _MODULE.sub(lambda match: f"{known[match[1]]}.", template)
    return _FUNCTION.sub(lambda match: f"{known[match[1]]}(", named)


def imports(template: str, context: Context) -> list[NodeEdit]:
    """The edits that import what a template uses and the file does not import yet."""
    return [edit for found in _names_of(template, context).values() if found is not None for edit in found[1]]


def _names_of(template: str, context: Context) -> dict[str, tuple[str, tuple[InsertStatement, ...]] | None]:
    modules = {match[1]: context.importing(MODULES[match[1]], match[1]) for match in _MODULE.finditer(template)}
    functions = {match[1]: context.importing(f"mlx.utils.{match[1]}") for match in _FUNCTION.finditer(template)}
    return modules | functions


def _filled(hole: re.Match[str], template: str, pieces: Pieces) -> str | None:
    given = pieces[hole[2]]
    if hole[3] is not None:
        return _SHAPES[hole[3]](given, pieces)
    if hole[1]:
        return ", ".join(piece.text for piece in given)
    before, after = template[: hole.start()], template[hole.end() :]
    alone = _OPENS.search(before) and after[:1] in (")", ",", "]", "")
    return given[0].text if alone else operand(given[0])


def operand(piece: Piece) -> str:
    """The text of an argument, in parentheses unless it holds together by itself."""
    whole = (
        piece.node is None or isinstance(piece.node, _WHOLE) or (piece.text.startswith("(") and bool(piece.node.lpar))
    )
    return piece.text if whole else f"({piece.text})"


def _tuple(given: Sequence[Piece], pieces: Pieces) -> str | None:
    first = given[0]
    if len(given) == 1 and (isinstance(first.value, SequenceValue) or first.text[0] in "(["):
        return first.text.removeprefix("*") if first.text.startswith("*") else first.text
    return f"({', '.join(piece.text for piece in given)}{',' if len(given) == 1 else ''})"


def _repeated(given: Sequence[Piece], pieces: Pieces) -> str | None:
    repeats = _repeats(given, as_array(pieces["self"][0].value))
    return f"({', '.join(repeats)})" if repeats else None


def bounds(given: Sequence[Piece], pieces: Pieces) -> str | None:
    """Where the pieces of these sizes end: ``[2, 3, 4]`` becomes ``[2, 5]``."""
    node, value = given[0].node, given[0].value
    if not isinstance(node, (cst.List, cst.Tuple)) or not isinstance(value, SequenceValue) or value.items is None:
        return None
    sizes = [constant(item, int) for item in value.items]
    if any(isinstance(element, cst.StarredElement) for element in node.elements):
        return None
    if all(isinstance(size, int) for size in sizes):
        return f"[{', '.join(str(sum(sizes[:n])) for n in range(1, len(sizes)))}]"
    texts = [operand(Piece(_EMPTY.code_for_node(element.value), element.value)) for element in node.elements]
    return f"[{', '.join(' + '.join(texts[:n]) for n in range(1, len(texts)))}]"


_SHAPES: Mapping[str, Callable[[Sequence[Piece], Pieces], str | None]] = {
    "shape": _tuple,
    "repeats": _repeated,
    "bounds": bounds,
    "bare": lambda given, pieces: constant(given[0].value, str),
}


def _evaluates_twice(template: str, pieces: Pieces) -> bool:
    counts = Counter(hole[2] for hole in _HOLE.finditer(template))
    return any(n > 1 and not all(map(is_pure, pieces[name])) for name, n in counts.items())


def is_pure(piece: Piece) -> bool:
    """Whether an expression may be written twice: a name, a dotted name, a literal."""
    node = piece.node
    return node is None or dotted(node) is not None or isinstance(node, (cst.BaseNumber, cst.SimpleString))


def _loses_comment(node: cst.BaseExpression, template: str, pieces: Pieces, context: Context) -> bool:
    if "#" not in context.text(node):
        return False
    written = [piece.node for name in _names(template) for piece in pieces[name]]
    kept = sum(_comments(piece, context) for piece in written if piece is not None)
    return _comments(node, context) > kept


def _comments(node: cst.CSTNode, context: Context) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(f"({context.text(node)}\n)").readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def in_place_of(node: cst.BaseExpression, text: str, context: Context) -> str | None:
    """A text, in parentheses where it would fall apart in a node's place; None for a statement that has no place."""
    if context.is_parenthesised(node) or isinstance(context.parent(node), _FREE):
        return text if context.is_dropped(node) or not _ASSIGNS.match(text) else None
    if _ASSIGNS.match(text):
        return None
    argument = cst.ensure_type(cst.parse_expression(f"f({text})"), cst.Call).args[0].value
    return text if isinstance(argument, _WHOLE) else f"({text})"


def instead(entry: Entry, found: Rewrite | None, context: Context) -> str:
    """What a message says to do: the very text, where that is known, else the general way."""
    if found is None:
        return entry.sketch() or "MLX has nothing of the kind"
    text = " ".join(found.text.split())
    receiver = found.node.func if isinstance(found.node, cst.Call) else found.node
    unchanged = isinstance(receiver, cst.Attribute) and " ".join(context.text(receiver.value).split()) == text
    return "leave it out" if unchanged else f"use `{text}`" if len(text) <= 80 else entry.sketch() or "use another"


IN_PLACE = frozenset(
    """abs acos add addcdiv addcmul asin atan bitwise_and bitwise_not bitwise_or ceil clamp clamp_max clamp_min clip
    copy cos cosh cumprod cumsum div divide eq erf erfinv exp expm1 fill fill_diagonal floor floor_divide fmod
    frac ge gt half index_add index_copy index_fill index_put le lerp log log10 log1p log2 logical_and
    logical_not logical_or lt masked_fill masked_scatter mul multiply nan_to_num ne neg negative normal pow put
    reciprocal relu remainder round rsqrt scatter scatter_add scatter_reduce sigmoid sign sin sinh sqrt square
    squeeze sub subtract swapaxes t tan tanh transpose tril triu true_divide trunc uniform unsqueeze xlogy zero
    bernoulli exponential random resize set""".split()
)


@cache
def in_place(name: str) -> Entry | None:
    """The entry of one of PyTorch's in-place methods; that of its plain namesake where it has none of its own."""
    plain = name.removesuffix("_")
    if plain == name or plain not in IN_PLACE:
        return None
    entry = section("inplace").get(name) or section("tensor").get(plain)
    if entry is not None or plain not in api.members("mlx.core.array"):
        return entry or Entry(name, (), None)
    method = Form(api.signature("(*arguments)").parameters, f"{{self}}.{plain}({{*arguments}})", True, None, None)
    bare = Form((), f"{{self}}.{plain}()", True, None, None)
    return Entry(name, (bare, method), None)
