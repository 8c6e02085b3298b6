"""LibCST's classes of nodes, without methods that nothing calls, and open to be filled field by field.

Each of them is a frozen dataclass. Its comparison, its representation and its guard against assignment are written and
compiled when LibCST is imported, which is a third of the time that takes; LibCST then puts others in their place, or is
held up by them in storing each field. And nodes hash by identity through a method in Python where ``object``'s own does
the same, and are abstract, so that each ``isinstance`` that is not true at once runs code in Python. To be imported
before LibCST is; where that came first, only what can still be taken away is.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

_dataclass = dataclasses.dataclass


def _open(kind: type | None = None, /, **options: Any) -> Any:
    if kind is None:
        return lambda kind: _open(kind, **options)
    if kind.__module__.startswith("libcst._nodes."):
        options |= {"eq": False, "repr": False, "frozen": False}
    if kind.__name__ == "CSTNode":  # from which the others take it
        kind.__hash__ = object.__hash__  # type: ignore[assignment]
    return _dataclass(kind, **options)


class _Plain:
    """In place of :class:`abc.ABC`, whose metaclass has an ``isinstance`` of its own."""

    __slots__ = ()


_ABC = abc.ABC
dataclasses.dataclass, abc.ABC = _open, _Plain  # type: ignore[assignment,misc]
try:
    import libcst as cst
    from libcst._nodes.base import CSTNode
finally:
    dataclasses.dataclass, abc.ABC = _dataclass, _ABC  # type: ignore[misc]
if CSTNode.__hash__ is not object.__hash__:
    for _kind in [v for v in vars(cst).values() if isinstance(v, type) and issubclass(v, CSTNode)]:
        _kind.__hash__ = object.__hash__  # type: ignore[method-assign]
        if "__setattr__" in vars(_kind):
            del _kind.__setattr__
