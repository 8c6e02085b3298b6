"""What a name of PyTorch is in MLX, as the rules' tables of names have it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mlxlint.audit.spelling import in_mlx
from mlxlint.model import api
from mlxlint.rules.api import _names
from mlxlint.rules.api.tensor_method import AMBIGUOUS
from mlxlint.rules.api.torch_name import FUNCTIONAL, SECTIONS

SCHEDULER = "torch.optim.lr_scheduler.LRScheduler"
TENSOR, MODULE, OPTIMIZER = OF_OBJECTS = ("torch.Tensor", "torch.nn.Module", "torch.optim.Optimizer")
_SECTIONS = {
    **SECTIONS, FUNCTIONAL: "functional", TENSOR: "tensor", MODULE: "module", OPTIMIZER: "optimizer",
    "torch.cuda": "cuda", "torch.distributed": "distributed",
}  # fmt: skip
_CLASSES = {TENSOR: "mlx.core.array", MODULE: "mlx.nn.Module", OPTIMIZER: "mlx.optimizers.Optimizer"}
NOTHING = "MLX has nothing of the kind"
_LACKING = ("MLX has no", "MLX does not have")  # how the tables begin when there is nothing of the kind


class Way(str, enum.Enum):
    """How a name of PyTorch is said in MLX."""

    SAME = "same"  # by the same name
    RENAMED = "renamed"  # by another name, or in other words that are known
    DIFFERENT = "different"  # the like, which does not do or take the same
    MISSING = "missing"  # not at all


class Meaning(NamedTuple):
    """The way of a name; ``instead`` is what to write or to know, ``rule`` the name of the rule that tells more.

    What is not ``listed`` in the tables is judged by the name alone.
    """

    way: Way
    instead: str | None = None
    rule: str | None = None
    listed: bool = True


@cache
def meaning(name: str) -> Meaning:
    """What a qualified name ("torch.nn.functional.pad", "torch.Tensor.view") is in MLX."""
    scopes = list(_scopes(name))
    for scope, member in scopes[:1] if scopes[0][0] in OF_OBJECTS else scopes:
        found = _listed(scope, member)
        if found is not None:
            return found
    return _in_mlx(*scopes[0]) or Meaning(Way.MISSING, NOTHING, listed=False)


def is_known(scope: str, member: str) -> bool:
    """Whether the tables or MLX know a member of a module or class of PyTorch's."""
    return (_listed(scope, member) or _in_mlx(scope, member)) is not None


def _scopes(name: str) -> Iterator[tuple[str, str]]:
    """A name as a module or class and its member; then the module itself as a member, and so on."""
    scope, _, member = name.rpartition(".")
    while scope:
        yield scope, member
        scope, _, member = scope.rpartition(".")


def _section(scope: str) -> str | None:
    """The section of the tables that the members of a module or class are in."""
    return _SECTIONS.get(scope) or _SECTIONS.get(in_mlx(scope))


def entry(scope: str, member: str) -> _names.Entry | None:
    """What the table of names has for a member."""
    section = _section(scope)
    in_place = _names.in_place(member) if section == "tensor" else None
    return in_place or (_names.table()[section].get(member) if section is not None else None)


def _listed(scope: str, member: str) -> Meaning | None:
    found = entry(scope, member)
    if found is not None:
        advice = found.sketch()
        lacking = advice is None or (not found.forms and advice.startswith(_LACKING))
        way = Way.MISSING if lacking else Way.RENAMED if found.forms else Way.DIFFERENT
        return Meaning(way, advice or NOTHING)
    shared = _names.shared().get(_section(scope) or "", {}).get(member)
    if shared is None:
        return None
    differs = shared.get("differs") or shared.get("say")
    return Meaning(Way.DIFFERENT if differs else Way.SAME, shared.get("say"), shared.get("differs"))


def _in_mlx(scope: str, member: str) -> Meaning | None:
    """A name that no table has, where MLX has it too."""
    there = member in api.members(_CLASSES.get(scope) or in_mlx(scope))
    return Meaning(Way.SAME, "by name; what it does was not compared", listed=False) if there else None


@cache
def of_tensors_alone() -> frozenset[str]:
    """The methods and attributes of tensors that common objects of Python and PyTorch's modules do not have."""
    tensor = _names.table()["tensor"].keys() | _names.shared()["tensor"].keys()
    others = {name for kind in (str, bytes, list, tuple, dict, set, int, float, complex, object) for name in dir(kind)}
    modules = _names.table()["module"].keys() | _names.table()["optimizer"].keys() | api.members("mlx.nn.Module")
    return frozenset(tensor - others - modules - AMBIGUOUS)
