from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import scalar_type
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._optimizers import constructor


@dataclass(frozen=True)
class Place:
    """A position at which PyTorch's optimizer, its parameters left out, has another option than MLX's."""

    index: int
    mlx: str
    torch: str
    types: tuple[str, ...]  # of a value that fits what PyTorch has there, and hardly what MLX has


NUMBER = ("int", "float")
PLACES = {
    "SGD": (Place(2, "weight_decay", "dampening", NUMBER),),
    "Adam": (Place(3, "bias_correction", "weight_decay", NUMBER),),
    "AdamW": (Place(4, "bias_correction", "amsgrad", ("bool",)),),
    "Adagrad": (Place(1, "eps", "lr_decay", NUMBER),),
    "Muon": (Place(1, "momentum", "weight_decay", NUMBER), Place(2, "weight_decay", "momentum", NUMBER)),
}


class OptimizerArgumentOrder(Rule):
    """Options of an optimizer are given by position, where PyTorch has another order

    ## What it does
    Finds `SGD`, `Adam`, `AdamW`, `Adagrad` and `Muon` of `mlx.optimizers` with an option at a position where
    PyTorch's optimizer has another one.

    ## PyTorch and MLX
    After the learning rate the orders differ: PyTorch's `SGD` has momentum, dampening, weight decay, and MLX's has
    momentum, weight decay, dampening; the third option of `Adam` is weight decay in PyTorch and `bias_correction`
    in MLX. The call runs with another meaning.

    ## Example
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(0.1, 0.9, 0.0, 1e-4)
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim

    optimizer = optim.SGD(0.1, momentum=0.9, weight_decay=1e-4)
    ```

    ## References
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers/common_optimizers.html)
    """

    code = "MLX211"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset(PLACES)
    message = "argument {position} of `optim.{optimizer}` is `{mlx}`, where PyTorch's has `{torch}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        name = constructor(node, context)
        positional = context.arguments(node).positional
        for place in PLACES.get(name or "", ()):
            if (
                place.index < len(positional)
                and scalar_type(context.value(positional[place.index].value)) in place.types
            ):
                context.report(
                    self,
                    positional[place.index],
                    position=place.index + 1,
                    optimizer=name,
                    mlx=place.mlx,
                    torch=place.torch,
                    repro={"optimizer": name, "index": place.index},
                )
                return

    @staticmethod
    def repro(optimizer: str = "SGD", index: int = 2) -> Evidence:
        import mlx.optimizers as optim

        place = next(place for place in PLACES[optimizer] if place.index == index)
        options = [0.1, *([0.9] if optimizer in ("SGD", "Muon") else [(0.9, 0.999), 1e-8, 0.5]), 0.0, 0.0][:index]
        flagged = getattr(optim, optimizer)(*options, 0.25)
        named = getattr(optim, optimizer)(0.1, **{place.mlx: 0.75})
        return Evidence(
            shown(getattr(flagged, place.mlx) == 0.25, f"{place.mlx} is 0.25"),
            shown(getattr(named, place.mlx) == 0.75, f"by keyword, {place.mlx} is what is said"),
        )
