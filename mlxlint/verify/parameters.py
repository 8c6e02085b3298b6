"""What may travel from linted code into a reproduction: a few small literals, of the type the reproduction asks for."""

from __future__ import annotations

import inspect
import json
import math
import re
import typing
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any

from mlxlint.rule import Literal

SIZES = range(-4096, 4097)
WORD = re.compile(r"[A-Za-z0-9_.-]{0,64}")
LONGEST_TUPLE = 16
MOST_ELEMENTS = 2**26  # of a tuple of integers read as a shape


class OutOfRange(Exception):
    """A parameter is not one that the reproduction may be run with; the argument says which."""


def bound(repro: Callable[..., Any], given: Mapping[str, Literal]) -> dict[str, Literal]:
    """All parameters of a reproduction: those given, checked against its annotations, and the defaults of the others.

    An integer is at most 4096 in size unless its annotation says ``Annotated[int, range(...)]``; a string is a plain
    word unless a ``Literal`` lists it.

    Raises:
        OutOfRange: when one is unknown, of another type, or too large.
    """
    signature = inspect.signature(repro)
    hints = typing.get_type_hints(repro, include_extras=True)
    for name, value in given.items():
        if name not in signature.parameters:
            raise OutOfRange(f"`{name}` is not a parameter")
        if not fits(value, hints[name]):
            raise OutOfRange(f"`{name}`")
    return {name: given.get(name, parameter.default) for name, parameter in signature.parameters.items()}


def canonical(parameters: Mapping[str, Literal]) -> str:
    """The same text for the same parameters."""
    return json.dumps(parameters, sort_keys=True)


def fits(value: object, hint: Any, sizes: range = SIZES) -> bool:
    """Whether a value is of an annotated type and small enough. Without an exact annotation it does not fit."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        ranges = [extra for extra in arguments[1:] if isinstance(extra, range)]
        return fits(value, arguments[0], ranges[0] if ranges else sizes)
    if origin is typing.Literal:
        return any(type(value) is type(listed) and value == listed for listed in arguments)
    if origin is typing.Union or origin is UnionType:
        return any(fits(value, option, sizes) for option in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and fits_tuple(value, arguments, sizes)
    if value is None:
        return hint is None or hint is type(None)
    if hint is int:
        return type(value) is int and value in sizes
    if hint is float:
        return type(value) is float or (type(value) is int and value in sizes)
    if hint is str:
        return type(value) is str and WORD.fullmatch(value) is not None
    return hint is bool and type(value) is bool


def fits_tuple(value: tuple[object, ...], hints: tuple[Any, ...], sizes: range) -> bool:
    if len(value) > LONGEST_TUPLE:
        return False
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value) or not all(fits(part, hint, sizes) for part, hint in zip(value, hints, strict=True)):
        return False
    return math.prod(abs(part) for part in value if type(part) is int) <= MOST_ELEMENTS
