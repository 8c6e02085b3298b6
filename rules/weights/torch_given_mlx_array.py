from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    Skipped,
    raises,
    shown,
)

from ._exchange import elements, is_array

_CONVERT = frozenset({"tensor", "as_tensor", "asarray", "from_dlpack", "is_tensor", "save", "is_storage", "typename"})
_SPACES = ("torch.nn.functional.", "torch.linalg.", "torch.fft.", "torch.special.", "torch.testing.")


class TorchGivenMlxArray(Rule):
    """A function of PyTorch is given an MLX array

    ## What it does
    Finds `torch.from_numpy(x)`, `torch.allclose(x, t)`, `F.mse_loss(x, t)`, `t.copy_(x)`, ... where `x` is an MLX
    array. `torch.tensor`, `torch.as_tensor` and `torch.from_dlpack` convert one and are left alone.

    ## PyTorch and MLX
    PyTorch's functions take tensors, and `torch.from_numpy` a NumPy array: given an MLX array they raise `TypeError`.

    ## Example
    ```python
    import mlx.core as mx
    import torch

    x = mx.ones((2, 3))
    t = torch.from_numpy(x)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import torch

    x = mx.ones((2, 3))
    t = torch.tensor(x)
    ```

    ## Fix safety
    The array is converted by `torch.tensor`. It is unsafe: that copies where `torch.from_numpy` shares.

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX951"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{function}` takes {wanted}, and `{array}` is an MLX array"
    calls = frozenset({"torch.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not callee.startswith("torch.") or not _takes_tensors(callee):
            return
        for arg in node.args:
            if not arg.star and is_array(elements(context.value(arg.value))):
                from_numpy = callee == "torch.from_numpy"
                context.report(
                    self, arg.value, because=[arg.value], array=context.brief(arg.value),
                    function=context.brief(node.func), wanted="a NumPy array" if from_numpy else "tensors",
                    fix=_fix(node, arg.value, from_numpy, context),
                )  # fmt: skip
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        try:
            import torch
        except ImportError:
            raise Skipped("needs torch, which is not installed") from None
        x = mx.array([1.0, 2.0])
        converted = torch.tensor(x)
        return Evidence(raises(lambda: torch.from_numpy(x), TypeError), shown(len(converted) == 2, f"{converted}"))


def _takes_tensors(callee: str) -> bool:
    space, _, name = callee.rpartition(".")
    if callee.startswith(_SPACES):
        return True
    if space == "torch":
        return name not in _CONVERT and name.islower() and not name.startswith(("set_", "get_", "manual_"))
    return space == "torch.Tensor" or (callee.startswith("torch.nn.") and name == "__call__")


def _fix(call: cst.Call, array: cst.BaseExpression, from_numpy: bool, context: Context) -> NodeFix | None:
    torch = context.alias("torch")
    if torch is None or context.array(array) is None:
        return None
    text = f"{torch}.tensor({context.text(array)})"
    whole = from_numpy and len(call.args) == 1
    return NodeFix("Make a tensor of it", [Replace(call if whole else array, text)], Applicability.UNSAFE)
