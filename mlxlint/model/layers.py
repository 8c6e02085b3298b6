"""What ``mlx.nn``, ``mlx.optimizers``, ``mlx.utils`` and ``mlx_lm`` objects return when they are called or read."""

from __future__ import annotations

import libcst as cst

from mlxlint.model import dtypes, foreign, shapes
from mlxlint.model.arguments import Arguments
from mlxlint.model.code import ClassCode
from mlxlint.model.values import (
    CERTAIN,
    LIKELY,
    UNKNOWN,
    Array,
    Const,
    Dict,
    Foreign,
    Instance,
    Scalar,
    Sequence,
    Shape,
    Size,
    Tree,
    Value,
    as_array,
    constant,
    weaker,
)

CONVOLUTIONS = {"Conv1d": 3, "Conv2d": 4, "Conv3d": 5, "ConvTranspose1d": 3, "ConvTranspose2d": 4, "ConvTranspose3d": 5}
POOLS = {f"{kind}Pool{n}d": n + 2 for kind in ("Max", "Avg") for n in (1, 2, 3)}
RECURRENT = ("RNN", "GRU")
SAME_SHAPE = frozenset(
    """
        BatchNorm LayerNorm RMSNorm GroupNorm InstanceNorm Dropout Dropout2d Dropout3d ReLU ReLU6 GELU SiLU
        Sigmoid Tanh ELU CELU SELU LeakyReLU PReLU Softplus Softsign Softmax LogSoftmax LogSigmoid Hardswish
        HardTanh HardShrink Softmin Mish Step RoPE Identity SoftShrink Softshrink ALiBi
        SinusoidalPositionalEncoding
        """.split()
)
KEEPING_INTEGERS = frozenset({*POOLS, "ReLU", "ReLU2", "HardShrink", "Identity", "Step", "Upsample"})
WEIGHTS = frozenset({"weight", "bias", "scales", "biases", "running_mean", "running_var", "Wx", "Wh", "b", "bhn"})
LOSSES_PREFIX = "mlx.nn.losses."
SCHEDULE = "mlx.optimizers.schedulers.schedule"  # what the functions that make schedules return
SCHEDULES = frozenset(
    f"mlx.optimizers.{name}"
    for name in ("cosine_decay", "exponential_decay", "join_schedules", "linear_schedule", "step_decay")
)


def call(instance: Instance, args: Arguments) -> Value | None:
    """The result of calling an instance of a ``mlx.nn`` layer; None for a layer of which nothing is known."""
    layer = instance.type.rpartition(".")[2]
    x = as_array(args.get(0, "x")) or Array(confidence=LIKELY)
    dtype, confidence = x.dtype if layer in KEEPING_INTEGERS else dtypes.floating(x.dtype), x.confidence
    if layer in ("LSTM",):
        return Sequence("tuple", (Array(dtype, x.shape), Array(dtype, x.shape)))
    if layer in RECURRENT:
        return Array(dtype, _last(x.shape, _construct(instance, 1, "hidden_size")), confidence=confidence)
    if layer in ("Linear", "QuantizedLinear", "Bilinear"):
        return Array(dtype, _last(x.shape, _construct(instance, 1, "output_dims")), confidence=confidence)
    if layer in ("Embedding", "QuantizedEmbedding"):
        shape = None if x.shape is None else (*x.shape, shapes.size(_construct(instance, 1, "dims")))
        return Array(None, shape, confidence=CERTAIN)  # of the weights, loaded ones may be of half precision
    if layer in CONVOLUTIONS or layer in POOLS:
        rank = CONVOLUTIONS.get(layer) or POOLS[layer]
        channels = (
            shapes.size(_construct(instance, 1, "out_channels")) if layer in CONVOLUTIONS else (x.shape or (None,))[-1]
        )
        batch = x.shape[0] if x.shape else None
        return Array(
            dtype,
            (batch, *_space(instance, layer, rank, x.shape), channels),
            "channels_last" if rank > 3 else None,
            confidence=confidence,
        )
    if layer == "Upsample":
        shape = None if x.shape is None else (x.shape[0], *(None,) * (len(x.shape) - 2), x.shape[-1])
        return Array(dtype, shape, "channels_last" if x.rank in (4, 5) else None, confidence=confidence)
    if layer in SAME_SHAPE or layer in ("GLU",):
        return Array(dtype, x.shape if layer in SAME_SHAPE else None, x.layout, confidence=confidence)
    if layer in ("MultiHeadAttention", "Transformer", "TransformerEncoder"):
        return Array(dtype, x.shape, confidence=confidence)
    return None


def _space(instance: Instance, layer: str, rank: int, shape: Shape | None) -> Shape:
    """The spatial sizes that a convolution or a pool returns, where its arguments and the input's sizes are known."""
    count = rank - 2
    hidden = isinstance(instance.node, cst.Call) and any(arg.star for arg in instance.node.args)
    if shape is None or len(shape) != rank or "Transpose" in layer or hidden:
        return (None,) * count
    at = 0 if layer in POOLS else 2  # where the kernel's size stands, before stride, padding and dilation
    kernel = _each(instance, at, "kernel_size", count)
    stride = _each(instance, at + 1, "stride", count, kernel if layer in POOLS else (1,) * count)
    padding = _each(instance, at + 2, "padding", count, (0,) * count)
    dilation = (1,) * count if layer in POOLS else _each(instance, at + 3, "dilation", count, (1,) * count)
    if kernel is None or stride is None or padding is None or dilation is None:
        return (None,) * count
    return tuple(map(_moved, shape[1:-1], kernel, stride, padding, dilation))


def _each(
    instance: Instance, index: int, name: str, count: int, default: tuple[int, ...] | None = None
) -> tuple[int, ...] | None:
    """An option for each axis, given as one number or several; None when it is not known."""
    if name not in instance.keywords and index >= len(instance.args):
        return default
    value = _construct(instance, index, name)
    if isinstance(value, Const) and value.value is None:
        return default
    sizes = shapes.of_values(value) or ()
    numbers = tuple(size for size in sizes if isinstance(size, int))
    if len(numbers) != len(sizes) or len(numbers) not in (1, count):
        return None
    return numbers * count if len(numbers) == 1 else numbers


def _moved(size: Size, kernel: int, stride: int, padding: int, dilation: int) -> Size:
    """How many places a window has on an axis."""
    taken = dilation * (kernel - 1) - 2 * padding
    if taken == 0 and stride == 1:
        return size
    return max((size - taken - 1) // stride + 1, 0) if isinstance(size, int) and stride > 0 else None


def _construct(instance: Instance, index: int, name: str) -> Value:
    return instance.keywords.get(name, instance.args[index] if index < len(instance.args) else UNKNOWN)


def _last(shape: Shape | None, size: Value) -> Shape | None:
    return None if not shape else (*shape[:-1], shapes.size(size))


def attribute(instance: Instance, name: str) -> Value | None:
    """A data attribute of a layer or an optimizer; None for methods and what is not known."""
    if instance.type.startswith("mlx.nn."):
        if name in WEIGHTS and instance.type != "mlx.nn.Module":
            return Array("float32" if not instance.type.startswith("mlx.nn.Quantized") else None, parameter=True)
        if name in ("training",):
            return Scalar("bool")
        if name == "state":
            return Tree("state")
        if name == "layers" and instance.type == "mlx.nn.Sequential":
            return Sequence("list", instance.args)
    if instance.type.startswith("torch.nn."):
        return Foreign(foreign.TENSOR) if name in ("weight", "bias") else None
    if instance.type.startswith("mlx.optimizers.") and instance.type != SCHEDULE:
        if name == "state":
            return Tree("state")
        if name in ("learning_rate", "step"):
            return Array(None, ())
    return None


_REDUCTION_AT = {  # of losses that are reduced to their mean unless told otherwise, and of others
    "binary_cross_entropy": 4, "gaussian_nll_loss": 5, "l1_loss": 2, "mse_loss": 2, "smooth_l1_loss": 3,
    "cosine_similarity_loss": 4, "cross_entropy": 5, "hinge_loss": 2, "huber_loss": 3, "kl_div_loss": 3,
    "log_cosh_loss": 2, "margin_ranking_loss": 4, "nll_loss": 3, "triplet_loss": 7,
}  # fmt: skip
_MEANS = frozenset(["binary_cross_entropy", "gaussian_nll_loss", "l1_loss", "mse_loss", "smooth_l1_loss"])
_OVER_CLASSES = frozenset(["cross_entropy", "kl_div_loss", "nll_loss"])


def _loss_shape(name: str, args: Arguments) -> Shape | None:
    default = Const("mean" if name in _MEANS else "none")
    reduction = constant(args.get(_REDUCTION_AT.get(name), "reduction", default=default), str)
    if reduction in ("mean", "sum"):
        return ()
    inputs, target = as_array(args.get(0, "logits", "inputs")), as_array(args.get(1, "targets"))
    if reduction != "none" or name in ("cosine_similarity_loss", "triplet_loss") or args.has(None, "axis"):
        return None
    if name in _OVER_CLASSES:
        return inputs.shape[:-1] if inputs is not None and inputs.shape else None
    return target.shape if target is not None else None


def function(name: str, args: Arguments) -> Value | None:
    """The result of a function of ``mlx.nn``, ``mlx.optimizers`` or ``mlx.utils``; None when not known here."""
    if name.startswith(LOSSES_PREFIX):
        return Array(None, _loss_shape(name.removeprefix(LOSSES_PREFIX), args))
    if name.startswith("mlx.nn.init."):
        return None
    short = name.rpartition(".")[2]
    if name.startswith("mlx.nn.") and name.count(".") == 2 and short.islower():
        x = as_array(args.get(0, "x"))
        if x is None:
            return Array(confidence=LIKELY)
        return Array(x.dtype, None if short == "glu" else x.shape, x.layout, confidence=x.confidence)
    if name in SCHEDULES:
        return Instance(SCHEDULE, None, args.positional, args.keywords)
    if name == "mlx.optimizers.clip_grad_norm":
        return Sequence("tuple", (Tree("gradients"), Array("float32", ())))
    if name == "mlx.utils.tree_flatten" and isinstance(args.get(None, "destination"), Dict):
        return Dict({}, Array(confidence=LIKELY))
    if name == "mlx.utils.tree_flatten":
        return Sequence("list", None, Sequence("tuple", (Scalar("str"), _leaf(args.get(0, "tree")))))
    if name in (
        "mlx.utils.tree_map",
        "mlx.utils.tree_map_with_path",
        "mlx.utils.tree_unflatten",
        "mlx.utils.tree_merge",
    ):
        tree = args.get(1, "tree")
        return tree if isinstance(tree, (Tree, Dict)) else Tree()
    return None


def _leaf(tree: Value) -> Value:
    """What the leaves of a tree are: another framework's where they are known to be, else arrays."""
    while isinstance(tree, (Dict, Sequence)):
        tree = tree.joined()
    return weaker(tree, LIKELY) if isinstance(tree, Foreign) else Array(confidence=LIKELY)


def _is_mlx(code: ClassCode) -> bool:
    return any(name.startswith(("mlx.", "mlx_lm.")) or name == "?" for name in code.ancestry()[1])


def _is_torch(instance: Instance) -> bool:
    names = [instance.type] if instance.code is None else instance.code.ancestry()[1]
    return any(name.startswith("torch.nn.") for name in names)


def method(instance: Instance, name: str, args: Arguments, receiver: Value) -> Value | None:
    """The result of a method inherited from ``mlx.nn.Module`` or of an optimizer; None when not known here."""
    if instance.type.startswith("torch.") or (instance.code is not None and not _is_mlx(instance.code)):
        return foreign.module_method(name) if _is_torch(instance) else None
    if name in ("parameters", "trainable_parameters"):
        return Tree("parameters")
    if name in (
        "freeze",
        "unfreeze",
        "train",
        "eval",
        "update",
        "load_weights",
        "apply",
        "set_dtype",
        "update_modules",
        "apply_to_modules",
    ):
        return receiver if instance.type.startswith("mlx.nn.") or instance.code is not None else Const(None)
    if name == "apply_gradients":
        given = args.get(1, "parameters")
        return given if isinstance(given, (Dict, Tree)) else Tree("parameters")
    if name in ("to", "cpu", "cuda", "half", "float", "double", "bfloat16", "requires_grad_"):
        return receiver  # PyTorch's, which raise here: what follows is read as it was meant
    if name in ("modules",):
        return Sequence("list", None, UNKNOWN)
    if name == "as_linear":
        x = as_array(args.get(0, "x"))
        return Array(x.dtype if x is not None else None)
    return None
