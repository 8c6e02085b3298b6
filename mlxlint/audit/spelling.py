"""The names of PyTorch, and what they are called where it is read as MLX."""

from __future__ import annotations

from collections.abc import Mapping

MODULES = {  # and the one class whose members count
    "torch": "mlx.core",
    "torch.Tensor": "mlx.core.array",
    "torch.fft": "mlx.core.fft",
    "torch.linalg": "mlx.core.linalg",
    "torch.random": "mlx.core.random",
    "torch.nn": "mlx.nn",
    "torch.nn.functional": "mlx.nn.functional",
    "torch.nn.init": "mlx.nn.init",
    "torch.nn.utils": "mlx.nn.utils",
    "torch.optim": "mlx.optimizers",
}


def names_torch(text: str) -> bool:
    """Whether a file can have to do with PyTorch at all."""
    return "torch" in text


def in_mlx(name: str) -> str:
    """What a name of PyTorch is called in the reading: "torch.nn.ReLU" is "mlx.nn.ReLU", "torch.cuda.sync" stays."""
    name = name.replace("torch.nn.parameter.", "torch.nn.")
    inner = name.count(".") > 1
    return _moved(name, {torch: mlx for torch, mlx in MODULES.items() if not (inner and torch == "torch")})


def in_torch(name: str) -> str:
    """The name of PyTorch for which one in the reading stands."""
    return _moved(name, {mlx: torch for torch, mlx in MODULES.items()})


def _moved(name: str, modules: Mapping[str, str]) -> str:
    scope = name
    while scope and scope not in modules:
        scope = scope.rpartition(".")[0]
    return modules[scope] + name[len(scope) :] if scope else name
