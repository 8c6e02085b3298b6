"""The values and the nodes a call is given."""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from mlxlint.model.values import UNKNOWN, Value


class Arguments:
    """Evaluated arguments of one call; ``starred`` when ``*`` or ``**`` hide some of them."""

    __slots__ = ("keywords", "positional", "starred")

    def __init__(self, positional: tuple[Value, ...], keywords: Mapping[str, Value], starred: bool = False) -> None:
        self.positional, self.keywords, self.starred = positional, keywords, starred

    def get(self, index: int | None, *names: str, default: Value = UNKNOWN) -> Value:
        """The argument at a position or of one of some names; ``default`` when it surely is not there."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        if index is not None and index < len(self.positional):
            return self.positional[index]
        return UNKNOWN if self.starred else default

    def has(self, index: int | None, *names: str) -> bool:
        return any(n in self.keywords for n in names) or (index is not None and index < len(self.positional))

    def after(self, receiver: Value) -> Arguments:
        """The same call with a receiver put first: a method seen as a function."""
        return Arguments((receiver, *self.positional), self.keywords, self.starred)


class ArgumentNodes:
    """The argument nodes of one call, by position and by keyword."""

    def __init__(self, call: cst.Call) -> None:
        self.positional: list[cst.Arg] = []
        self.keywords: dict[str, cst.Arg] = {}
        self.starred = False
        for arg in call.args:
            if arg.star:
                self.starred = True
            elif arg.keyword is not None:
                self.keywords[arg.keyword.value] = arg
            elif not self.starred:
                self.positional.append(arg)

    def get(self, index: int | None, *names: str) -> cst.Arg | None:
        """The argument node at a position or of one of some names."""
        for name in names:
            if name in self.keywords:
                return self.keywords[name]
        return self.positional[index] if index is not None and index < len(self.positional) else None
