"""LibCST's parser, without work it does twice.

The native parser makes valid nodes by construction, yet each is validated again in Python while it is made: an
eighth of the time to parse. And nodes hash by identity through a method in Python where ``object``'s own does the same.
"""

from __future__ import annotations

import libcst as cst
from libcst._nodes.base import CSTNode

for _kind in [v for v in vars(cst).values() if isinstance(v, type) and issubclass(v, CSTNode)]:
    _kind.__hash__ = object.__hash__  # type: ignore[method-assign]


def parse(text: str) -> cst.Module:
    """The concrete syntax tree of a module.

    Raises:
        cst.ParserSyntaxError: when the text is not Python.
    """
    validate = CSTNode.__post_init__
    CSTNode.__post_init__ = _trust  # type: ignore[method-assign, assignment]
    try:
        return cst.parse_module(text)
    finally:
        CSTNode.__post_init__ = validate  # type: ignore[method-assign]


def _trust(node: CSTNode) -> None:
    pass
