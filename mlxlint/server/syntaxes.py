"""The syntax of texts seen before: of a changed text only the changed statements are made anew."""

from __future__ import annotations

from collections import OrderedDict

from mlxlint.syntax import Syntax, read

MOST = 64  # files whose syntax is kept


class Syntaxes:
    """The syntax of the files read last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Syntax] = OrderedDict()

    def read(self, text: str, path: str) -> Syntax:
        """The syntax of a text, with what it has in common with the last text of the file.

        Raises:
            cst.ParserSyntaxError: when the text is not Python.
        """
        known = self._known.get(path)
        if known is None or known.text != text:
            known = self._known[path] = read(text, known)
        self._known.move_to_end(path)
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        return known
