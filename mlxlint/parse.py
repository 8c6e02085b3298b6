"""LibCST's parser, without work it does twice.

The native parser makes valid nodes by construction, yet each is validated again in Python while it is made, and each of
its fields is set past the guard of a frozen dataclass: a fifth of the time to parse. And nodes hash by identity through
a method in Python where ``object``'s own does the same.
"""

from __future__ import annotations

import ast
import dataclasses
import threading
import warnings
from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, TypeVar

import libcst as cst
from libcst._nodes.base import CSTNode

T = TypeVar("T")
DEEP_STACK = 512 * 1024 * 1024  # bytes, for the rare source that nests beyond Python's own recursion limit
LONG_TEXT, LONG_LINE = 50_000, 1_000  # characters from which on a text may nest deeper than the parser's stack is
LONG_CHAIN = 2_000  # conditions, each of which nests in the next for this parser and not for Python's

# The classes that nine of ten nodes are of.
_FREQUENT = (
    cst.SimpleWhitespace, cst.Name, cst.Newline, cst.TrailingWhitespace, cst.Dot, cst.Attribute, cst.Arg, cst.Comma,
    cst.SimpleStatementLine, cst.Call, cst.AssignTarget, cst.Assign, cst.ParenthesizedWhitespace, cst.EmptyLine,
    cst.AssignEqual, cst.IndentedBlock, cst.Param, cst.Integer, cst.Element, cst.Annotation, cst.LeftSquareBracket,
    cst.RightSquareBracket, cst.SubscriptElement, cst.SimpleString, cst.Index, cst.Subscript, cst.BinaryOperation,
)  # fmt: skip


def _store_plainly(kind: Any) -> None:
    """Give a class of nodes a constructor that stores its arguments and does nothing else."""
    parameters, stores = [], []
    names: dict[str, Any] = {"MISSING": MISSING}
    for field in dataclasses.fields(kind):
        name, value = field.name, field.name
        names[f"default_{name}"] = field.default
        names[f"make_{name}"] = field.default_factory
        if field.default_factory is not MISSING:
            value = f"make_{name}() if {name} is MISSING else {name}"
        required = field.default is MISSING and field.default_factory is MISSING
        parameters.append(name if required else f"{name}=default_{name}")
        stores.append(f"self.{name} = {value}")
    body = "\n ".join(stores or ["pass"])
    exec(f"def __init__(self, {', '.join(parameters)}):\n {body}", names)
    kind.__init__ = names["__init__"]


for _kind in [v for v in vars(cst).values() if isinstance(v, type) and issubclass(v, CSTNode)]:
    _kind.__hash__ = object.__hash__  # type: ignore[method-assign]
    if "__setattr__" in vars(_kind):
        del _kind.__setattr__  # a frozen dataclass's guard, which would see each store
for _kind in _FREQUENT:
    _store_plainly(_kind)


def parse(text: str) -> cst.Module:
    """The concrete syntax tree of a module.

    Raises:
        cst.ParserSyntaxError: when the text is not Python, or nests deeper than Python takes.
    """
    if len(text) < LONG_TEXT and max(map(len, text.split("\n"))) < LONG_LINE:
        return cst.parse_module(text)
    if _nests_too_deeply(text):  # the parser would take minutes for it, and more stack than there is
        lines = text.splitlines()
        raise cst.ParserSyntaxError("it nests too deeply", lines=lines, raw_line=1, raw_column=0)
    if text.count(" and ") + text.count(" or ") > LONG_CHAIN:
        return with_deep_stack(lambda: cst.parse_module(text))
    return cst.parse_module(text)


def _nests_too_deeply(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (RecursionError, MemoryError):
            return True
        except SyntaxError as error:
            return error.msg.startswith("too many nested")
        except ValueError:
            pass
    return False


def with_deep_stack(run: Callable[[], T]) -> T:
    """What a function returns or raises, run in a thread with a large stack."""
    from concurrent.futures import Future

    outcome: Future[T] = Future()

    def target() -> None:
        try:
            outcome.set_result(run())
        except BaseException as error:
            outcome.set_exception(error)

    size = threading.stack_size(DEEP_STACK)
    try:
        threading.Thread(target=target).start()
    finally:
        threading.stack_size(size)
    return outcome.result()
