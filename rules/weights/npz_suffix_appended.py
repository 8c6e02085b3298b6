from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

from ._paths import suffix


class NpzSuffixAppended(Rule):
    """`mx.savez` is given a name that does not end in `.npz`, and writes another file

    ## What it does
    Finds `mx.savez` and `mx.savez_compressed` with a literal suffix other than `.npz`, and `mx.save` with one other
    than `.npy`.

    ## PyTorch and MLX
    `torch.save` writes the file it is told. `mx.savez` always writes the npz format, and appends `.npz` to a name
    without it: `model.safetensors` becomes `model.safetensors.npz`, and loading the name that was given fails, or finds
    an old file.

    ## Example
    ```python
    import mlx.core as mx

    mx.savez("model.safetensors", weight=mx.zeros((2,)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    mx.save_safetensors("model.safetensors", {"weight": mx.zeros((2,))})
    ```

    ## References
    - [savez](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.savez.html)
    """

    code = "MLX907"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = frozenset({"savez", "savez_compressed", "save"})
    message = "`mx.{function}` appends `{own}`: the file is named `…{suffix}{own}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _SUFFIXES or not node.args:
            return
        own, found = _SUFFIXES[callee], suffix(context.argument(node, 0, "file"), context)
        if found in _FOREIGN and found != own:
            context.report(self, node, function=callee[9:], own=own, suffix=found)

    @staticmethod
    def repro() -> Evidence:
        import os
        import tempfile

        import mlx.core as mx

        with tempfile.TemporaryDirectory() as folder:
            mx.savez(os.path.join(folder, "a.safetensors"), w=mx.zeros(2))
            written = os.listdir(folder)
            mx.save_safetensors(os.path.join(folder, "b.safetensors"), {"w": mx.zeros(2)})
            right = "b.safetensors" in os.listdir(folder)
        return Evidence(
            shown(written == ["a.safetensors.npz"], f"written: {written}"),
            shown(right, "save_safetensors keeps the name"),
        )


_SUFFIXES = {"mlx.core.savez": ".npz", "mlx.core.savez_compressed": ".npz", "mlx.core.save": ".npy"}
_FOREIGN = frozenset({".safetensors", ".npz", ".npy", ".pt", ".pth", ".bin", ".ckpt"})
