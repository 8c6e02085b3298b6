"""Signs that code is a port: what in a file, or in the files around it, says that PyTorch's behaviour is meant.

A default that differs from PyTorch's is a bug only where PyTorch's was meant; such a sign tells which it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

_IMPORTS = re.compile(r"^[ \t]*(?:import|from) torch\b", re.MULTILINE)
_IN_IMPORTS = ("import torch", "from torch")  # one of which is in what _IMPORTS finds: much faster to look for
_WEIGHTS = re.compile(r"""["'][^"'\n]*(?:\.pth?|\.ckpt|pytorch_model[^"'\n]*)["']""")
_IN_WEIGHTS = (".pt", ".ckpt", "pytorch_model")  # one of which is in what _WEIGHTS finds: much faster to look for
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
    if _imports_torch(text):
        return Sign("imports", "the file imports PyTorch")
    weights = _WEIGHTS.search(text) if any(part in text for part in _IN_WEIGHTS) else None
    if weights is not None:
        return Sign("weights", f"the file names weights of PyTorch's, {weights[0]}")
    if "torch" in text.lower():
        return Sign("words", "the file speaks of PyTorch")
    original = _ORIGINALS.search(text) if "modeling_" in text else None
    return None if original is None else Sign("words", f"the file refers to `{original[0]}`")


def _imports_torch(text: str) -> bool:
    return any(part in text for part in _IN_IMPORTS) and _IMPORTS.search(text) is not None


@lru_cache(512)
def _classes_for_torch(text: str) -> frozenset[str]:
    """The classes that a file defines, if it imports PyTorch."""
    return frozenset(_CLASS.findall(text) if _imports_torch(text) else ())


def around(text: str, importers: Files, neighbours: Files) -> Sign | None:
    """What other files show of one: an importer of it that imports PyTorch too, or a class's twin beside it."""
    for path, other in importers:
        if _imports_torch(other):
            return Sign("importer", f"`{os.path.basename(path)}` imports it and PyTorch")
    classes = set(_CLASS.findall(text))
    for path, other in neighbours if classes else ():
        twins = classes & _classes_for_torch(other)
        if twins:
            return Sign("twin", f"`{os.path.basename(path)}` has a `{min(twins)}` of PyTorch's")
    return None
