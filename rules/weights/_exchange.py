"""Which functions of one library take arrays of another, by running them."""

from __future__ import annotations

from mlxlint.model.values import Array, Foreign, Sequence, Value, members

TENSOR, NDARRAY = "torch.Tensor", "numpy.ndarray"

# What NumPy hands over to the array's own method of that name, with arguments that MLX's method does not have.
HANDED_OVER = frozenset({"mean", "sum", "std", "var", "max", "min", "amax", "amin", "prod", "all", "any", "transpose"})
# What works without NumPy ever reading the elements.
UNREAD = frozenset({"squeeze", "flip", "swapaxes", "moveaxis", "shape", "ndim", "size", "result_type", "isscalar"})

# Functions of mlx.core that take nothing but MLX's arrays; others convert what they are given.
STRICT = frozenset(
    """
    sum mean max min argmax argmin var std prod all any logsumexp softmax sort argsort cumsum cumprod reshape transpose
    squeeze expand_dims flatten swapaxes moveaxis concatenate stack matmul allclose isclose pad repeat tile take split
    topk clip zeros_like ones_like stop_gradient einsum tensordot outer inner roll tril triu diag addmm unflatten
    take_along_axis argpartition contiguous meshgrid
    """.split()
)
# Layers that do.
STRICT_LAYERS = frozenset(
    """
    Linear LayerNorm RMSNorm BatchNorm Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d Embedding GRU LSTM RNN
    MultiHeadAttention MaxPool1d MaxPool2d AvgPool1d AvgPool2d
    """.split()
)


def is_array(value: Value) -> bool:
    """Whether every alternative of a value is an MLX array."""
    return all(isinstance(member, Array) for member in members(value))


def is_foreign(value: Value, *kinds: str) -> bool:
    """Whether every alternative of a value is an array of NumPy or PyTorch."""
    return all(isinstance(member, Foreign) and member.type in kinds for member in members(value))


def elements(value: Value) -> Value:
    """What a list or tuple holds; other values themselves."""
    if isinstance(value, Sequence) and value.kind in ("list", "tuple") and value.items != ():
        return value.joined()
    return value
