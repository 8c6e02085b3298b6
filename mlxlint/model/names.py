"""Qualified names: one public spelling for everything that has several."""

from __future__ import annotations

from functools import lru_cache

from mlxlint.model import api

_FOREIGN_MODULES = frozenset(
    """
        torch torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.optim torch.optim.lr_scheduler
        torch.utils torch.utils.data torch.cuda torch.linalg torch.fft torch.distributed torch.autograd
        torch.backends torch.jit torch.mps torch.special torch.random torch.nn.parameter torch.amp
        torch.utils.checkpoint numpy numpy.random numpy.linalg numpy.fft numpy.testing
        """.split()
)


def of_mlx(name: str) -> bool:
    return name.startswith(("mlx.", "mlx_lm.")) or name in ("mlx", "mlx_lm")


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The public name of something: where its users import it from, not where it is defined."""
    if of_mlx(name):
        return api.canonical(name)
    if name.startswith("torch.nn.modules."):
        return "torch.nn." + name.rpartition(".")[2]
    return name


@lru_cache(maxsize=4096)
def kind(name: str) -> str | None:
    """What a canonical name of MLX or MLX-LM is ("function", "class", ...), without reading its signatures."""
    scope, _, member = name.rpartition(".")
    surface = api.surface_of(scope)
    runs = surface.runs(scope, member) if surface is not None else []
    return runs[-1].kind if runs else None


@lru_cache(maxsize=1024)
def is_module(name: str) -> bool:
    """Whether a dotted name of a known package is a module rather than a member of one."""
    if of_mlx(name):
        return name in ("mlx", "mlx_lm") or kind(name) == "module"
    return name in _FOREIGN_MODULES
