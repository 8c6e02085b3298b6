"""Where two trees differ in syntax: whitespace, comments, parentheses and commas apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any
from unicodedata import normalize

import libcst as cst

_OF_THE_TEXT = (
    "whitespace lpar rpar comma semicolon equal colon first_colon second_colon dot separator leading_ lines_after "
    "trailing_ header footer indent lbracket rbracket lbrace rbrace encoding default_ has_trailing"
).split()


@cache
def _fields(kind: type) -> list[str]:
    return [f.name for f in dataclasses.fields(kind) if not f.name.startswith(tuple(_OF_THE_TEXT))]


def difference(one: Any, other: Any, path: str = "") -> str | None:
    """The first place in which they differ, with what stands there; None when there is none."""
    if isinstance(one, cst.CSTNode) and type(one) is type(other):
        pairs = [(f".{name}", getattr(one, name), getattr(other, name)) for name in _fields(type(one))]
    elif isinstance(one, Sequence) and not isinstance(one, str) and len(one) == len(other):
        pairs = [(f"[{i}]", a, b) for i, (a, b) in enumerate(zip(one, other))]
    elif isinstance(one, str) and isinstance(other, str) and normalize("NFKC", one) == normalize("NFKC", other):
        return None  # Python's names are normalized
    elif type(one) is type(other) and one == other:
        return None
    else:
        shown = (value if isinstance(value, str) else type(value).__name__ for value in (one, other))
        return f"{path}: {' / '.join(shown)}"
    return next((found for name, a, b in pairs if (found := difference(a, b, path + name)) is not None), None)
