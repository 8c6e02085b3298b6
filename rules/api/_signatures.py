"""Calls of MLX's callables against their signatures."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.values import CERTAIN, Instance, Name

_POSITIONAL = ("positional-only", "positional-or-keyword")
_ALSO_BY_NAME = frozenset({  # against the stubs, those of older releases included
    ("mlx.core.astype", "dtype"), ("mlx.core.roll", "shift"), ("mlx.core.roll", "axis"),
    ("mlx.core.softmax", "precise"),
})  # fmt: skip


def entry_of(call: cst.Call, context: Context, confidence: int = CERTAIN) -> api.Entry | None:
    """The MLX function, array method, class or layer that a call surely calls, when its signatures are known.

    A method called on its class (``nn.Module.__init__(self)``) is none of these: its object is an argument.
    """
    called = context.called(call)
    if isinstance(called, Instance):
        return _forward_of(called, context)
    if not isinstance(called, Name) or called.confidence < confidence:
        return None
    if not called.name.startswith(("mlx.", "mlx_lm.")):
        return None
    entry = api.lookup(called.name, context.target(called.name).newest)
    if entry is None or not entry.signatures or (entry.kind == "method" and called.receiver is None):
        return None
    return entry if entry.kind in ("function", "method", "class") else None


def _forward_of(layer: Instance, context: Context) -> api.Entry | None:
    """The ``__call__`` of a layer of ``mlx.nn`` made in the project: one that is passed in may be of a subclass."""
    is_made = layer.code is None and layer.node is not None and layer.confidence >= CERTAIN
    if not is_made or not layer.type.startswith("mlx.nn.") or layer.type == "mlx.nn.Module":
        return None
    entry = api.lookup(f"{layer.type}.__call__", context.target_mlx.newest)
    return entry if entry is not None and entry.signatures and entry.name.startswith(layer.type) else None


def unaccepted_keywords(call: cst.Call, entry: api.Entry) -> Iterator[cst.Arg]:
    """The keyword arguments that no signature takes."""
    for keyword, arg in ArgumentNodes(call).keywords.items():
        known = any(accepts(signature, keyword) for signature in entry.signatures)
        if not known and (entry.name, keyword) not in _ALSO_BY_NAME:
            yield arg


def first_without(keyword: str, entry: api.Entry, context: Context) -> str | None:
    """The first of the releases linted for in which a callable has no parameter of a name that it has in the newest."""
    if (entry.name, keyword) in _ALSO_BY_NAME:
        return None
    for release in context.target(entry.name).decisive:
        older = api.lookup(entry.name, release) if entry.releases.contains(release) else None
        signatures = () if older is None else older.signatures
        if signatures and not any(_has(signature, keyword) for signature in signatures):
            return release
    return None


def _has(signature: api.Signature, keyword: str) -> bool:
    return any(p.kind == "var-keyword" or p.name == keyword for p in signature.parameters)


def accepts(signature: api.Signature, keyword: str) -> bool:
    return any(
        p.kind == "var-keyword" or (p.name == keyword and p.kind in ("positional-or-keyword", "keyword-only"))
        for p in signature.parameters
    )


def most_positional(entry: api.Entry) -> int | None:
    """How many positional arguments the widest signature takes; None when there is no limit."""
    if any(p.kind == "var-positional" for signature in entry.signatures for p in signature.parameters):
        return None
    return max(sum(p.kind in _POSITIONAL for p in signature.parameters) for signature in entry.signatures)


def argument(call: cst.Call, entry: api.Entry, parameter: str) -> cst.Arg | None:
    """The argument that a call gives for a parameter of any of the signatures."""
    given = ArgumentNodes(call)
    if parameter in given.keywords:
        return given.keywords[parameter]
    if given.starred:
        return None
    for signature in entry.signatures:
        names = [p.name for p in signature.parameters if p.kind in _POSITIONAL]
        if parameter in names and names.index(parameter) < len(given.positional):
            return given.positional[names.index(parameter)]
    return None


def lacking(signature: api.Signature, node: cst.Call) -> list[str]:
    """The required parameters of a signature that a call does not give."""
    given = ArgumentNodes(node)
    places = [p for p in signature.parameters if p.kind in ("positional-only", "positional-or-keyword")]
    rest = [*places[len(given.positional) :], *(p for p in signature.parameters if p.kind == "keyword-only")]
    return [p.name for p in rest if p.default is None and p.name not in given.keywords]
