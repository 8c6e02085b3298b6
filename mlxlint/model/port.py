"""Signs that code is a port: what in a file, or in the files around it, says that PyTorch's behaviour is meant.

A default that differs from PyTorch's is a bug only where PyTorch's was meant; such a sign tells which it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

_IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+torch\b", re.MULTILINE)
_WEIGHTS = re.compile(r"""["'][^"'\n]*(?:\.pth?|\.ckpt|pytorch_model[^"'\n]*)["']""")
_MENTIONS = re.compile(r"torch", re.IGNORECASE)
_ORIGINALS = re.compile(r"\bmodeling_(?!tf_|flax_)\w+\.py\b")  # how Transformers calls its models in PyTorch
_CLASS = re.compile(r"^class[ \t]+(\w+)[ \t]*\(", re.MULTILINE)

Files = Iterable[tuple[str, str]]  # path and text


class Sign(NamedTuple):
    """What shows that PyTorch's behaviour is meant.

    ``kind``: "imports", "weights", "words", "importer", "twin", or "values" where a call is given PyTorch's own;
    ``clause``: to be read in a message: "the file imports PyTorch".
    """

    kind: str
    clause: str


def in_text(text: str) -> Sign | None:
    """What a file itself shows: it imports PyTorch, names a file of its weights, or speaks of it."""
    if _IMPORTS.search(text):
        return Sign("imports", "the file imports PyTorch")
    weights = _WEIGHTS.search(text)
    if weights is not None:
        return Sign("weights", f"the file names weights of PyTorch's, {weights[0]}")
    if _MENTIONS.search(text):
        return Sign("words", "the file speaks of PyTorch")
    original = _ORIGINALS.search(text)
    return None if original is None else Sign("words", f"the file refers to `{original[0]}`")


def around(text: str, importers: Files, neighbours: Files) -> Sign | None:
    """What other files show of one: an importer of it that imports PyTorch too, or a class's twin beside it."""
    for path, other in importers:
        if _IMPORTS.search(other):
            return Sign("importer", f"`{os.path.basename(path)}` imports it and PyTorch")
    classes = set(_CLASS.findall(text))
    for path, other in neighbours if classes else ():
        twins = classes.intersection(_CLASS.findall(other)) if _IMPORTS.search(other) else ()
        if twins:
            return Sign("twin", f"`{os.path.basename(path)}` has a `{min(twins)}` of PyTorch's")
    return None
