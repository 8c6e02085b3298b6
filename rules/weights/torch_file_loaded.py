from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Instance
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._paths import suffix

_TORCH = frozenset({".pt", ".pth", ".bin", ".ckpt", ".pkl", ".t7"})
_READABLE = (".safetensors", ".npz", ".npy", ".gguf")


class TorchFileLoaded(Rule):
    """A PyTorch checkpoint is given to `mx.load` or `load_weights`

    ## What it does
    Finds `mx.load`, `load_weights`, `save_weights` and `mx.savez` with a file name whose suffix MLX does not read or
    write.

    ## PyTorch and MLX
    `.pt`, `.pth` and `.bin` files are pickles, which MLX does not read: `mx.load` knows `.safetensors`, `.npz`, `.npy`
    and `.gguf`, and `save_weights` writes the first two. Load the file with `torch.load` once, and save it as
    safetensors.

    ## Example
    ```python
    import mlx.core as mx

    weights = mx.load("model.pt")
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import torch

    state = torch.load("model.pt", map_location="cpu")
    mx.save_safetensors("model.safetensors", {k: mx.array(v.numpy()) for k, v in state.items()})
    weights = mx.load("model.safetensors")
    ```

    ## References
    - [Saving and loading arrays](https://ml-explore.github.io/mlx/build/html/usage/saving_and_loading.html)
    """

    code = "MLX901"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"load", "load_weights", "save_weights"})
    message = "MLX does not {verb} `{suffix}` files"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not node.args or node.args[0].star:
            return
        method = callee.rpartition(".")[2]
        if callee == "mlx.core.load" or (
            method in ("load_weights", "save_weights") and isinstance(context.receiver(node), Instance)
        ):
            if not callee.startswith(("mlx.core.", "mlx.nn.")):
                return
            found = suffix(node.args[0].value, context)
            known = _READABLE if method != "save_weights" else _READABLE[:2]
            if found in _TORCH or (
                method == "save_weights" and found is not None and found not in known and found.isascii()
            ):
                verb = "write" if method == "save_weights" else "read"
                context.report(
                    self, node, verb=verb, suffix=found, repro={"suffix": found} if found in (".pt", ".bin") else {}
                )

    @staticmethod
    def repro(suffix: str = ".pt") -> Evidence:
        import mlx.core as mx

        path = "weights" + suffix
        with open(path, "wb") as file:
            file.write(b"PK")
        mx.save_safetensors("weights.safetensors", {"w": mx.zeros(2)})
        names = list(mx.load("weights.safetensors"))
        return Evidence(raises(lambda: mx.load(path)), shown(names == ["w"], f"safetensors: {names}"))
