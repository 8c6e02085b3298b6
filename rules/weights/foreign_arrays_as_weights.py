from __future__ import annotations

from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Dict, Foreign, Sequence, Value, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_SAVERS = {"mlx.core.save_safetensors": (1, "arrays"), "mlx.core.save_gguf": (1, "arrays")}
_KINDS = {"torch.Tensor": "torch tensors", "numpy.ndarray": "NumPy arrays"}


class ForeignArraysAsWeights(Rule):
    """Torch tensors or NumPy arrays are given where MLX saves or loads its own arrays

    ## What it does
    Finds `mx.save_safetensors` and `load_weights` with a dict or list that holds torch tensors or NumPy arrays.

    ## PyTorch and MLX
    `mx.save_safetensors` takes MLX arrays, and raises `std::bad_cast` for others. `load_weights` raises too, or, with
    `strict=False`, stores the foreign array in the module, whose forward pass then fails.

    ## Example
    ```python
    import mlx.core as mx
    import torch

    state = {"weight": torch.zeros(2)}
    mx.save_safetensors("model.safetensors", state)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import torch

    state = {"weight": torch.zeros(2)}
    mx.save_safetensors("model.safetensors", {k: mx.array(v.numpy()) for k, v in state.items()})
    ```

    ## References
    - [save_safetensors](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.save_safetensors.html)
    """

    code = "MLX904"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"save_safetensors", "save_gguf", "load_weights"})
    message = "`{weights}` holds {kind}, and `{function}` takes MLX arrays"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None:
            return
        index, name = _SAVERS.get(callee, (None, ""))
        if callee.startswith("mlx.nn.") and callee.endswith(".load_weights"):
            index, name = 0, "file_or_weights"
        given = context.argument(node, index, name) if index is not None else None
        if given is None:
            return
        foreign = _held(context.value(given))
        if foreign is not None:
            context.report(
                self,
                node,
                because=[given],
                confidence=foreign.confidence,
                weights=context.brief(given),
                kind=_KINDS[foreign.type],
                function=callee.replace("mlx.core.", "mx.") if callee in _SAVERS else "load_weights",
            )

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import numpy as np

        foreign: Any = {"w": np.zeros(2)}
        hazard = raises(lambda: mx.save_safetensors("foreign.safetensors", foreign))
        mx.save_safetensors("own.safetensors", {"w": mx.array(np.zeros(2))})
        return Evidence(hazard, shown("w" in mx.load("own.safetensors"), "MLX arrays: saved"))


def _held(value: Value) -> Foreign | None:
    """The tensor or NumPy array that a dict, or a list of pairs, holds."""
    if isinstance(value, Dict):
        found = list(value.items.values()) or [value.element]
    elif isinstance(value, Sequence):
        pair = value.joined()
        found = (
            [pair.items[1]] if isinstance(pair, Sequence) and pair.items is not None and len(pair.items) == 2 else []
        )
    else:
        found = []
    alternatives = [member for value in found for member in members(value)]
    if any(isinstance(member, Array) for member in alternatives):
        return None
    return next((member for member in alternatives if isinstance(member, Foreign) and member.type in _KINDS), None)
