from __future__ import annotations

from dataclasses import dataclass

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import LIKELY, Const, Scalar, Sequence, Value, constant, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

from .._operations import bare


@dataclass(frozen=True)
class Place:
    """A position at which PyTorch's and MLX's constructors have different arguments."""

    index: int
    mlx: str
    torch: str
    types: tuple[str, ...]  # of values that fit PyTorch's argument and not MLX's


def _int(index: int, mlx: str, torch: str) -> Place:
    return Place(index, mlx, torch, ("int",))


_PLACES: dict[str, tuple[Place, ...]] = {
    **{f"ConvTranspose{n}d": (Place(5, "dilation", "output_padding", ()),) for n in (1, 2, 3)},
    "Conv3d": (_int(6, "bias", "groups"),),
    **{layer: (_int(2, "bias", "num_layers"),) for layer in ("LSTM", "GRU", "RNN")},
    "MultiHeadAttention": (
        Place(2, "query_input_dims", "dropout", ("float",)),
        Place(3, "key_input_dims", "bias", ("bool",)),
    ),
    "InstanceNorm": (Place(2, "affine", "momentum", ("float",)),),
    "RoPE": (Place(1, "traditional", "base", ("float", "int")),),
    "losses.triplet_loss": (Place(3, "axis", "margin", ("float",)),),
}


class PositionalArgumentOrder(Rule):
    """A positional argument means something else than at its place in PyTorch

    ## What it does
    Finds positional arguments of `nn.ConvTranspose*` (sixth), `nn.Conv3d` (seventh), `nn.LSTM`, `nn.GRU`, `nn.RNN`,
    `nn.MultiHeadAttention`, `nn.InstanceNorm` (third), `nn.RoPE` (second) and `nn.losses.triplet_loss` (fourth) whose
    value or name fits what PyTorch has there.

    ## PyTorch and MLX
    MLX has fewer arguments, or another order: the sixth of a transposed convolution is `dilation`, in PyTorch
    `output_padding`; the third of an LSTM is `bias`, in PyTorch `num_layers`. A wrong meaning is seldom an error: the
    layer works, with other numbers. Give such arguments by name.

    ## Example
    ```python
    import mlx.nn as nn

    lstm = nn.LSTM(16, 32, 2)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    layers = [nn.LSTM(16, 32), nn.LSTM(32, 32)]
    ```

    ## Fix safety
    An output padding or a margin is given by name. It is unsafe: a dilation may be meant.

    ## References
    - [ConvTranspose2d](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.ConvTranspose2d.html)
    - [LSTM](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.LSTM.html)
    """

    code = "MLX348"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset(layer.rpartition(".")[2] for layer in _PLACES)
    message = "argument {place} of `nn.{layer}` is `{mlx}`; in PyTorch it is `{torch}`, which `{value}` looks like"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.nn."):
            return
        layer, given = callee[7:], context.arguments(node)
        for place in _PLACES.get(layer, ()):
            if given.starred or len(given.positional) <= place.index:
                continue
            argument = given.positional[place.index].value
            value = context.value(argument)
            if _fits(place, bare(argument, context), value):
                context.report(
                    self,
                    argument,
                    confidence=LIKELY,
                    layer=layer,
                    place=place.index + 1,
                    mlx=place.mlx,
                    torch=place.torch,
                    value=context.brief(argument),
                    fix=_fix(place, given.positional[place.index :]),
                )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        x = mx.zeros((1, 4, 4, 1))
        positional = nn.ConvTranspose2d(1, 1, 3, 2, 1, 1)(x).shape
        named = nn.ConvTranspose2d(1, 1, 3, 2, 1, output_padding=1)(x).shape
        return Evidence(
            shown(positional[1] == 7, f"shape {positional}, PyTorch: 8 by 8"), shown(named[1] == 8, f"shape {named}")
        )


def _fits(place: Place, text: str, value: Value) -> bool:
    """Whether a value fits PyTorch's argument at a place better than MLX's."""
    if place.mlx == "dilation":  # both are ints; a dilation of 0 does not exist, and 1 is the default
        items = value.items or () if isinstance(value, Sequence) else (value,)
        known = [constant(item, int) for item in items]
        return "dilat" not in text and all(number is None or number < 2 for number in known)
    if place.torch == "margin" and text.rstrip(")").endswith("margin"):
        return True
    kind = scalar_type(value) if isinstance(value, (Const, Scalar)) else None
    return kind in place.types


def _fix(place: Place, given: list[cst.Arg]) -> NodeFix | None:
    """Name the argument, where MLX takes it under its name and no other follows by position."""
    if place.torch not in ("output_padding", "margin") or len(given) > 1:
        return None
    return NodeFix(f"Name it `{place.torch}`", [Insert(given[0], f"{place.torch}=")], Applicability.UNSAFE)
