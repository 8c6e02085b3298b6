"""LibCST's parser, and what it does not survive: sources that nest more deeply than its stack."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Callable
from typing import TypeVar

import libcst as cst

T = TypeVar("T")
DEEP_STACK = 512 * 1024 * 1024  # bytes, for the rare source that nests beyond Python's own recursion limit
LONG_TEXT, LONG_LINE = 50_000, 1_000  # characters from which on a text may nest deeper than the parser's stack is
LONG_CHAIN = 2_000  # conditions, each of which nests in the next for this parser and not for Python's


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
