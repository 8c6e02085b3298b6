"""What ``mlx.core`` operations return: dtype, shape, layout. Methods are seen as functions of their receiver.

An operation not listed here returns what the API data says of it.
"""

from __future__ import annotations

from collections.abc import Callable

from mlxlint.model import dtypes, shapes
from mlxlint.model.arguments import Arguments
from mlxlint.model.values import (
    CERTAIN,
    LIKELY,
    NONE,
    UNKNOWN,
    Array,
    Const,
    Dict,
    Foreign,
    Instance,
    Name,
    Scalar,
    Sequence,
    Shape,
    Size,
    Value,
    arrays,
    as_array,
    constant,
    scalar_type,
)

Operation = Callable[[str, Arguments], Value]
OPERATIONS: dict[str, Operation] = {}


def operation(*names: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def dtype_of(value: Value) -> str | None:
    """The dtype named by a value such as ``mx.float16``."""
    if isinstance(value, Name) and value.name.startswith("mlx.core."):
        name = value.name[9:]
        return {"bool": "bool_"}.get(name, name) if name in dtypes.DTYPES or name == "bool" else None
    return None


def _first(args: Arguments) -> Array:
    """The array argument; an array of which nothing is known when the value is not (only likely) one."""
    found = as_array(args.get(0, "a", "array", "x", "logits"))
    return found if found is not None else Array(confidence=LIKELY)


def _keepdims(args: Arguments, index: int | None) -> bool | None:
    value = args.get(index, "keepdims", default=Const(False))
    return constant(value, bool) if isinstance(value, Const) else None


@operation(
    *"""
        abs ceil floor negative positive round sign square real imag conj conjugate stop_gradient contiguous
        sort roll tril triu flip clip trunc nan_to_num cummax cummin bitwise_invert logical_not isnan isinf
        isfinite isneginf isposinf to_fp8 from_fp8 zeros_like ones_like empty_like
        """.split()
)
def same(name: str, args: Arguments) -> Value:
    """Elementwise, or reordering within the shape: dtype and shape stay."""
    a = _first(args)
    dtype = "bool_" if name.startswith(("is", "logical")) else a.dtype
    if name.endswith("_like"):
        dtype = dtype_of(args.get(1, "dtype", default=NONE)) or (a.dtype if not args.has(1, "dtype") else None)
    elif name == "clip" and dtype is not None:
        for bound in (args.get(1, "a_min"), args.get(2, "a_max")):
            if not (isinstance(bound, Const) and bound.value is None):
                dtype = dtypes.combine(Array(dtype), bound)
    elif name in ("abs", "real", "imag") and dtype == "complex64":
        dtype = "float32"
    layout = None if name in ("real", "imag") else a.layout
    return Array(dtype, a.shape, layout, confidence=a.confidence)


@operation(
    *"""
        exp log log2 log10 log1p expm1 sqrt rsqrt sigmoid tanh sin cos tan arcsin arccos arctan sinh cosh
        arcsinh arccosh arctanh asin acos atan asinh acosh atanh erf erfinv reciprocal softmax degrees radians
        logcumsumexp
        """.split()
)
def floating(name: str, args: Arguments) -> Value:
    if scalar_type(args.get(0, "a")) in ("int", "float"):
        return Array("float32", ())
    a = _first(args)
    return Array(dtypes.floating(a.dtype), a.shape, a.layout, confidence=a.confidence)


@operation("cumsum", "cumprod", "cumulative_sum", "cumulative_prod")
def cumulative(name: str, args: Arguments) -> Value:
    a = _first(args)
    shape = (
        (None,)
        if isinstance(args.get(1, "axis", default=NONE), Const) and not args.has(1, "axis") and a.rank != 1
        else a.shape
    )
    return Array("int32" if a.dtype == "bool_" else a.dtype, shape, confidence=a.confidence)


@operation(
    *"""
        add subtract multiply divide power pow maximum minimum floor_divide remainder arctan2 atan2 logaddexp
        greater greater_equal less less_equal equal not_equal logical_and logical_or logical_xor isclose
        bitwise_and bitwise_or bitwise_xor left_shift right_shift bitwise_left_shift bitwise_right_shift
        """.split()
)
def binary(name: str, args: Arguments) -> Value:
    return combine(name, args.get(0, "a"), args.get(1, "b"))


_COMPARISONS = frozenset(
    """
        greater greater_equal less less_equal equal not_equal logical_and logical_or logical_xor isclose > >=
        < <= == !=
        """.split()
)
_FLOATING = frozenset(["divide", "arctan2", "atan2", "logaddexp", "/"])


def combine(name: str, a: Value, b: Value) -> Array:
    """A broadcasting operation of two values, at least one an array."""
    left, right = as_array(a), as_array(b)
    confidence = min(
        left.confidence if left else LIKELY if a is UNKNOWN else a.confidence,
        right.confidence if right else LIKELY if b is UNKNOWN else b.confidence,
    )
    if left is not None and not (right is None and b is UNKNOWN) and right is None:
        confidence = left.confidence
    if right is not None and left is None and a is not UNKNOWN:
        confidence = right.confidence
    x, y = left or a, right or b
    if name in _COMPARISONS:
        dtype: str | None = "bool_"
    else:
        dtype = dtypes.combine(x, y)
        if name in _FLOATING:
            dtype = dtypes.floating(dtype)
    shape = shapes.broadcast(shape_of(x), shape_of(y))
    layouts = {v.layout for v in (left, right) if v is not None and v.layout is not None}
    return Array(dtype, shape, layouts.pop() if len(layouts) == 1 else None, confidence=confidence)


def shape_of(value: Value) -> Shape | None:
    if isinstance(value, (Array, Foreign)):
        return value.shape
    return () if isinstance(value, (Const, Scalar)) else None


@operation(
    *"""
    sum prod max min mean var std all any logsumexp median argmax argmin count_nonzero norm
    """.split()
)
def reduction(name: str, args: Arguments) -> Value:
    a = _first(args)
    keep_at = 3 if name == "norm" else 2
    axis = args.get(2 if name == "norm" else 1, "axis", default=NONE)
    keep = _keepdims(args, keep_at)
    shape = shapes.reduce(a.shape, axis, keep) if keep is not None else None
    if name in ("sum", "prod"):
        dtype = {"bool_": "int32", "uint8": "uint32", "uint16": "uint32", "int8": "int32", "int16": "int32"}.get(
            a.dtype or "", a.dtype
        )
    else:
        dtype = {"all": "bool_", "any": "bool_", "argmax": "uint32", "argmin": "uint32", "max": a.dtype, "min": a.dtype,
                 "count_nonzero": None}.get(name, dtypes.floating(a.dtype))  # fmt: skip
    return Array(dtype, shape, confidence=a.confidence)


@operation("argsort", "argpartition", "partition", "topk")
def ordering(name: str, args: Arguments) -> Value:
    a = _first(args)
    shape = a.shape
    if name == "topk" and shape is not None:
        k = args.get(1, "k")
        at = shapes.axes(args.get(2, "axis", default=Const(-1)), len(shape))
        shape = tuple(shapes.size(k) if i == at[0] else s for i, s in enumerate(shape)) if at else (None,) * len(shape)
    return Array("uint32" if name.startswith("arg") else a.dtype, shape, confidence=a.confidence)


@operation("array", "asarray")
def array(name: str, args: Arguments) -> Value:
    data = args.get(0, "val", "a", "x")
    dtype = dtype_of(args.get(1, "dtype", default=NONE))
    if dtype is None and args.has(1, "dtype"):
        return Array(None, literal_shape(data))
    return Array(dtype or literal_dtype(data), literal_shape(data))


def literal_dtype(data: Value) -> str | None:
    """The dtype ``mx.array`` infers for data."""
    if isinstance(data, Array):
        return data.dtype
    if isinstance(data, Foreign):
        return dtypes.of_numpy(data.dtype)
    if isinstance(data, Sequence):
        kinds = {literal_dtype(item) for item in (data.items if data.items is not None else (data.element,))}
        if len(kinds) == 1:
            return kinds.pop()
        order = ["bool_", "int32", "float32", "complex64"]
        return max((str(k) for k in kinds), key=order.index) if kinds and kinds <= set(order) else None
    return dtypes.of_scalar(data)


def literal_shape(data: Value) -> Shape | None:
    if isinstance(data, (Array, Foreign)):
        return data.shape
    if isinstance(data, Sequence):
        if data.items is None:
            inner = literal_shape(data.element)
            return None if inner is None else (None, *inner)
        if not data.items:
            return (0,)
        inner = literal_shape(data.items[0])
        return None if inner is None else (len(data.items), *inner)
    return () if scalar_type(data) in ("int", "float", "bool", "complex") else None


@operation("load")
def load(name: str, args: Arguments) -> Value:
    """A file's arrays by name; a ``.npy`` file holds one array."""
    if args.has(2, "return_metadata"):
        return UNKNOWN
    path = constant(args.get(0, "file"), str)
    if path is not None and path.endswith(".npy"):
        return Array()
    known = path is not None and path.endswith((".safetensors", ".npz", ".gguf"))
    return Dict(element=Array(), confidence=CERTAIN if known else LIKELY)


@operation("zeros", "ones", "full", "empty")
def filled(name: str, args: Arguments) -> Value:
    shape = shapes.of_values(args.get(0, "shape"))
    at = 2 if name == "full" else 1
    fallback = literal_dtype(args.get(1, "vals", "fill_value")) if name == "full" else "float32"
    return Array(_dtype_argument(args, at, fallback), shape)


def _dtype_argument(args: Arguments, index: int | None, fallback: str | None) -> str | None:
    given = args.get(index, "dtype", default=NONE)
    if isinstance(given, Const) and given.value is None:
        return fallback
    return dtype_of(given)


@operation("full_like")
def full_like(name: str, args: Arguments) -> Value:
    a = _first(args)
    return Array(_dtype_argument(args, 2, a.dtype), a.shape)


@operation("arange")
def arange(name: str, args: Arguments) -> Value:
    bounds = [args.get(i, n, default=NONE) for i, n in enumerate(("start", "stop", "step"))]
    kinds = {scalar_type(b) for b in bounds if not (isinstance(b, Const) and b.value is None)}
    fallback = "int32" if kinds <= {"int", "bool"} else "float32" if "float" in kinds else None
    n = constant(bounds[0], int) if not args.has(1, "stop") else None
    dim = n if isinstance(n, int) else shapes.size(bounds[0]) if not args.has(1, "stop") else None
    return Array(_dtype_argument(args, 3, fallback), (dim,))


@operation("linspace", "eye", "identity", "tri", "hanning", "hamming", "blackman", "bartlett")
def ranges(name: str, args: Arguments) -> Value:
    rank = 2 if name in ("eye", "identity", "tri") else 1
    index = {"linspace": 3, "eye": 3, "identity": 1, "tri": 3}.get(name)
    shape: Shape = (None,) * rank
    if name in ("eye", "identity"):
        n = shapes.size(args.get(0, "n"))
        shape = (n, shapes.size(args.get(1, "m")) if name == "eye" and args.has(1, "m") else n)
    return Array(_dtype_argument(args, index, "float32"), shape)


@operation("where", "select")
def where(name: str, args: Arguments) -> Value:
    condition, a, b = args.get(0, "condition"), args.get(1, "x"), args.get(2, "y")
    if not args.has(1, "x") and not args.starred:
        return UNKNOWN
    value = (
        combine("add", a, b)
        if as_array(a) or as_array(b)
        else Array(dtypes.of_scalar(a) if dtypes.of_scalar(a) == dtypes.of_scalar(b) else None, ())
    )
    mask = as_array(condition)
    return Array(
        value.dtype,
        shapes.broadcast(value.shape, mask.shape if mask else None),
        value.layout,
        confidence=value.confidence,
    )


@operation("astype", "view")
def astype(name: str, args: Arguments) -> Value:
    a = _first(args)
    return Array(
        dtype_of(args.get(1, "dtype")), a.shape if name == "astype" else None, a.layout, confidence=a.confidence
    )


@operation("reshape")
def reshape(name: str, args: Arguments) -> Value:
    a = _first(args)
    new = args.positional[1:] if len(args.positional) > 2 else None
    shape = Sequence("tuple", new) if new else args.get(1, "shape")
    stated = shapes.of_values(shape) if not args.starred else None
    result = shapes.reshape(a.shape, stated)
    layout = "channels_last" if a.layout == "channels_last" and _keeps_space_first(a.shape, result) else None
    return Array(a.dtype, result, layout, confidence=a.confidence)


def _keeps_space_first(before: Shape | None, after: Shape | None) -> bool:
    """Whether a reshape parts the channels of a channels-last map into blocks, or joins the blocks with its space."""
    if before is None or after is None:
        return False
    parted = len(before) == 4 and len(after) == 6 and None not in before[:3] and before[:3] == after[:3]
    return parted or (len(before) == 6 and len(after) == 4)


@operation("flatten")
def flatten(name: str, args: Arguments) -> Value:
    a = _first(args)
    start, end = args.get(1, "start_axis", default=Const(0)), args.get(2, "end_axis", default=Const(-1))
    low, high = constant(start, int), constant(end, int)
    shape: Shape | None = None
    if a.shape is not None and low is not None and high is not None:
        low, high = low % max(len(a.shape), 1), high % max(len(a.shape), 1)
        shape = (*a.shape[:low], None, *a.shape[high + 1 :])
    elif low == 0 and high == -1:
        shape = (None,)
    return Array(a.dtype, shape, confidence=a.confidence)


@operation("transpose", "permute_dims")
def transpose(name: str, args: Arguments) -> Value:
    a = _first(args)
    given, stated = args.positional[1:], args.keywords.get("axes")
    if not given and isinstance(stated, Sequence):
        given = (stated,)
    if args.starred:
        return Array(a.dtype, confidence=a.confidence)
    if len(given) == 1 and isinstance(given[0], Sequence):
        if given[0].items is None:
            return Array(a.dtype, (None,) * a.rank if a.rank is not None else None, confidence=a.confidence)
        given = given[0].items
    if not given:
        return Array(a.dtype, a.shape[::-1] if a.shape is not None else None, confidence=a.confidence)
    order = [constant(v, int) for v in given]
    if any(o is None for o in order):
        return Array(a.dtype, (None,) * len(order), confidence=a.confidence)
    numbers = tuple(int(o) for o in order if o is not None)
    shape = shapes.permute(a.shape, numbers)
    return Array(a.dtype, shape, _permuted_layout(a.layout, numbers), confidence=a.confidence)


def _permuted_layout(layout: str | None, order: tuple[int, ...]) -> str | None:
    n = len(order)
    if n not in (3, 4, 5, 6):
        return None
    order = tuple(o % n for o in order)
    if n == 6:  # blocks of channels, moved beside height and width
        return layout if order[:2] == (0, 1) and order[3] == 2 else None
    if order == (0, n - 1, *range(1, n - 1)):  # channels to the front
        return "channels_first" if layout != "channels_first" and n > 3 else None
    if order == (0, *range(2, n), 1):  # channels to the back
        return "channels_last" if layout != "channels_last" and n > 3 else None
    return layout if order == tuple(range(n)) else None


@operation("swapaxes", "moveaxis")
def exchange(name: str, args: Arguments) -> Value:
    a = _first(args)
    one = constant(args.get(1, "axis1", "source"), int)
    two = constant(args.get(2, "axis2", "destination"), int)
    rank = a.rank
    if one is None or two is None:
        return Array(a.dtype, None if rank is None else (None,) * rank, confidence=a.confidence)
    if rank is None:
        layout = "channels_first" if name == "moveaxis" and (one, two) == (-1, 1) else None
        return Array(a.dtype, None, layout, confidence=a.confidence)
    if not (-rank <= one < rank and -rank <= two < rank):
        return Array(a.dtype, confidence=a.confidence)
    order = list(range(rank))
    if name == "swapaxes":
        order[one], order[two] = order[two], order[one]
    else:
        order.insert(two % rank, order.pop(one % rank))
    return Array(
        a.dtype,
        shapes.permute(a.shape, tuple(order)),
        _permuted_layout(a.layout, tuple(order)),
        confidence=a.confidence,
    )


@operation("expand_dims")
def expand_dims(name: str, args: Arguments) -> Value:
    a = _first(args)
    axis = args.get(1, "axis")
    count = len(axis.items) if isinstance(axis, Sequence) and axis.items is not None else 1
    if a.shape is None:
        return Array(a.dtype, confidence=a.confidence)
    at = shapes.axes(axis, len(a.shape) + count)
    if at is None:
        return Array(a.dtype, (None,) * (len(a.shape) + count), confidence=a.confidence)
    rest = iter(a.shape)
    shape = tuple(1 if i in at else next(rest, None) for i in range(len(a.shape) + count))
    return Array(a.dtype, shape, confidence=a.confidence)


@operation("squeeze")
def squeeze(name: str, args: Arguments) -> Value:
    a = _first(args)
    if a.shape is None or not args.has(1, "axis"):
        known = a.shape is not None and all(isinstance(s, int) for s in a.shape)
        return Array(
            a.dtype, tuple(s for s in a.shape if s != 1) if known and a.shape else None, confidence=a.confidence
        )
    return Array(a.dtype, shapes.reduce(a.shape, args.get(1, "axis"), False), confidence=a.confidence)


def _listed(value: Value) -> tuple[Value, ...]:
    if isinstance(value, Sequence):
        return value.items if value.items is not None else (value.element,)
    return ()


@operation("concatenate", "concat", "stack")
def joining(name: str, args: Arguments) -> Value:
    sequence = args.get(0, "arrays")
    found = [a for a in (as_array(v) for v in _listed(sequence)) if a is not None]
    if not found:
        return Array()
    dtype = found[0].dtype
    for a in found[1:]:
        dtype = dtypes.promote(dtype, a.dtype)
    shapes_known = [a.shape for a in found if a.shape is not None]  # what is joined has one rank, and one size beside
    rank, shape = (len(shapes_known[0]) if shapes_known else None), None
    if rank is not None and all(len(known) == rank for known in shapes_known):
        sizes = [set(parts) - {None} for parts in zip(*shapes_known)]
        merged: list[Size] = [s.pop() if len(s) == 1 else None for s in sizes]
        at = shapes.axes(args.get(1, "axis", default=Const(0)), rank + (name == "stack"))
        if name == "stack":
            count = len(sequence.items) if isinstance(sequence, Sequence) and sequence.items is not None else None
            shape = (*merged[: at[0]], count, *merged[at[0] :]) if at else (None,) * (rank + 1)
        else:
            shape = tuple(None if at is None or i == at[0] else s for i, s in enumerate(merged))
    layouts = {a.layout for a in found}
    layout = layouts.pop() if len(layouts) == 1 and name != "stack" else None
    whole = len(found) == len(_listed(sequence))
    return Array(dtype if whole else None, shape, layout, confidence=min(a.confidence for a in found))


@operation("split", "unstack")
def split(name: str, args: Arguments) -> Value:
    a = _first(args)
    parts = args.get(1, "indices_or_sections")
    axis = args.get(2, "axis", default=Const(0))
    shape = a.shape
    if shape is not None:
        at = shapes.axes(axis, len(shape))
        shape = tuple(None if at is None or i == at[0] else s for i, s in enumerate(shape))
    piece = Array(a.dtype, shape, a.layout, confidence=a.confidence)
    count = constant(parts, int)
    if count is not None and 0 < count <= 64 and name == "split":
        return Sequence("list", (piece,) * count)
    if isinstance(parts, Sequence) and parts.items is not None and name == "split":
        return Sequence("list", (piece,) * (len(parts.items) + 1))
    return Sequence("list", None, piece)


@operation("meshgrid", "broadcast_arrays")
def several(name: str, args: Arguments) -> Value:
    given = [as_array(v) or Array() for v in args.positional]
    if args.starred:
        return Sequence("list", None, Array())
    rank = len(given) if name == "meshgrid" else None
    return Sequence("list", tuple(Array(a.dtype, None if rank is None else (None,) * rank) for a in given))


@operation("broadcast_to")
def broadcast_to(name: str, args: Arguments) -> Value:
    a = _first(args)
    return Array(a.dtype, shapes.of_values(args.get(1, "shape")), confidence=a.confidence)


@operation("matmul", "@", "inner", "addmm", "outer", "tensordot", "einsum", "kron", "gather_mm")
def matmul(name: str, args: Arguments) -> Value:
    shift = 1 if name == "addmm" else 0
    a, b = as_array(args.get(shift, "a")), as_array(args.get(shift + 1, "b"))
    if name == "einsum":
        found = [x for x in (as_array(v) for v in args.positional[1:]) if x is not None]
        dtype = found[0].dtype if found and all(x.dtype == found[0].dtype for x in found) else None
        return Array(dtype)
    dtype = dtypes.promote(a.dtype, b.dtype) if a is not None and b is not None else None
    shape: Shape | None = None
    if name in ("matmul", "@") and a is not None and b is not None and a.shape is not None and b.shape is not None:
        if len(a.shape) >= 2 and len(b.shape) >= 2:
            batch = shapes.broadcast(a.shape[:-2], b.shape[:-2])
            shape = None if batch is None else (*batch, a.shape[-2], b.shape[-1])
    confidence = min(x.confidence if x is not None else LIKELY for x in (a, b))
    return Array(dtype, shape, confidence=confidence)


@operation("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "conv_general")
def convolution(name: str, args: Arguments) -> Value:
    a, weight = _first(args), as_array(args.get(1, "weight"))
    kernels = weight.shape[0] if weight is not None and weight.shape else None
    shape = None if not a.shape else (a.shape[0], *(None,) * (len(a.shape) - 2), kernels)
    layout = "channels_last" if a.layout == "channels_last" else None
    return Array(a.dtype, shape, layout, confidence=a.confidence)


@operation("take")
def take(name: str, args: Arguments) -> Value:
    a, indices = _first(args), args.get(1, "indices")
    at = as_array(indices)
    shape: Shape | None = None
    if args.has(2, "axis") and a.shape is not None and at is not None and at.shape is not None:
        axis = shapes.axes(args.get(2, "axis"), len(a.shape))
        shape = (*a.shape[: axis[0]], *at.shape, *a.shape[axis[0] + 1 :]) if axis else None
    return Array(a.dtype, shape, confidence=a.confidence)


@operation("take_along_axis", "put_along_axis")
def along_axis(name: str, args: Arguments) -> Value:
    a, at = _first(args), as_array(args.get(1, "indices"))
    return Array(a.dtype, a.shape if name.startswith("put") else (at.shape if at else None), confidence=a.confidence)


@operation(
    *"""
        repeat tile pad diag diagonal trace diff as_strided unflatten atleast_1d atleast_2d atleast_3d unique
        """.split()
)
def reshaping(name: str, args: Arguments) -> Value:
    a = _first(args)
    rank = {"trace": 0, "diff": a.rank, "pad": a.rank, "tile": None, "unique": 1}.get(name)
    if name == "repeat":
        rank = a.rank if args.has(2, "axis") else 1
    return Array(
        a.dtype, None if rank is None else (None,) * rank, a.layout if name == "pad" else None, confidence=a.confidence
    )


RANDOM = {"uniform": 2, "normal": 0, "truncated_normal": 2, "laplace": 0, "gumbel": 0, "randint": 2, "bernoulli": 1}


def random(name: str, args: Arguments) -> Value:
    """``mlx.core.random.*``"""
    if name == "categorical":
        a = _first(args)
        return Array("uint32", a.shape[:-1] if a.shape and not args.has(2, "shape", "num_samples") else None)
    if name == "split":
        return Array("uint32", (None, 2))
    if name == "key":
        return Array("uint32", (2,))
    if name == "permutation":
        shuffled = as_array(args.get(0, "x"))
        return Array("int32", (None,)) if shuffled is None else Array(shuffled.dtype, shuffled.shape)
    shape = shapes.of_values(args.get(RANDOM.get(name, 0), "shape", default=Sequence("tuple", ())))
    fallback = {"randint": "int32", "bernoulli": "bool_"}.get(name, "float32")
    return Array(_dtype_argument(args, None, fallback), shape)


def fourier(name: str, args: Arguments) -> Value:
    """``mlx.core.fft.*``"""
    a = _first(args)
    if name in ("fftshift", "ifftshift"):
        return Array(a.dtype, a.shape, confidence=a.confidence)
    dtype = "float32" if name in ("irfft", "irfft2", "irfftn", "fftfreq", "rfftfreq") else "complex64"
    return Array(dtype, None if a.rank is None or name.endswith("freq") else (None,) * a.rank, confidence=a.confidence)


def core(name: str, args: Arguments) -> Value | None:
    """The result of the function ``mlx.core.NAME``; None when this module does not know it."""
    if name.startswith("random.") and name != "random.seed" and name != "random.state":
        return random(name[7:], args)
    if name.startswith("fft."):
        return fourier(name[4:], args)
    if name in TORCH_FUNCTIONS:
        return Array()
    if name in OBJECTS:
        return Instance(OBJECTS[name], None, args.positional, args.keywords)
    found = OPERATIONS.get(name[7:] if name.startswith("linalg.") else name)
    return None if found is None else found(name.rpartition(".")[2], args)


KERNEL, IMPORTED = "mlx.core.fast.kernel", "mlx.core.imported_function"  # what can be called of what MLX makes
OBJECTS = {
    "fast.metal_kernel": KERNEL,
    "fast.cuda_kernel": KERNEL,
    "import_function": IMPORTED,
    "new_stream": "mlx.core.Stream",
    "default_stream": "mlx.core.Stream",
    "default_device": "mlx.core.Device",
    "distributed.init": "mlx.core.distributed.Group",
}


def called(instance: Instance) -> Value:
    """The result of calling an object of ``mlx.core``: a list of arrays of a kernel, a tuple of an import."""
    kinds = {KERNEL: "list", IMPORTED: "tuple"}
    return Sequence(kinds[instance.type], None, Array(op=instance.type)) if instance.type in kinds else UNKNOWN


# Functions of PyTorch that mlx.core lacks, read as they were meant.
TORCH_FUNCTIONS = frozenset(
    """
        cat bmm mm clamp gather index_select masked_fill rand randn rand_like randn_like randperm relu
        repeat_interleave tensor as_tensor unsqueeze permute hstack vstack mul div sub neg t movedim bincount
        cdist log_softmax normalize
        """.split()
)


DTYPE, FLOAT_LIMITS, INTEGER_LIMITS = "mlx.core.Dtype", "mlx.core.finfo", "mlx.core.iinfo"
_LIMITS = {
    FLOAT_LIMITS: {"min": "float", "max": "float", "eps": "float", "smallest_normal": "float", "bits": "int"},
    INTEGER_LIMITS: {"min": "int", "max": "int"},
}


@operation("finfo", "iinfo")
def limits(name: str, args: Arguments) -> Value:
    return Instance("mlx.core." + name)


def member(type: str, name: str) -> Value | None:
    """An attribute of an object of ``mlx.core`` that is no array; None where it is not known."""
    kind = _LIMITS.get(type, {}).get(name)
    if kind is not None:
        return Scalar(kind)
    return Scalar("int") if type == DTYPE and name == "size" else None


ARRAY_RESULTS = frozenset({"dtype", "shape", "ndim", "size", "nbytes", "itemsize"})


def attribute(array: Array, name: str) -> Value | None:
    """A data attribute of an array; None for methods."""
    if name == "shape":
        if array.shape is None:
            return Sequence("tuple", None, Scalar("int"), confidence=array.confidence)
        return Sequence("tuple", tuple(as_scalar(s) for s in array.shape), confidence=array.confidence)
    if name == "dtype":
        return Instance(DTYPE) if array.dtype is None else Name("mlx.core." + array.dtype)
    if name in ("ndim",):
        return Scalar("int") if array.rank is None else Const(array.rank)
    if name in ("size", "nbytes", "itemsize"):
        return Scalar("int", array.confidence)
    if name in ("T", "mT"):
        shape = array.shape
        if shape is not None:
            shape = shape[::-1] if name == "T" else (*shape[:-2], *shape[-2:][::-1])
        return Array(array.dtype, shape, confidence=array.confidence)
    if name in ("real", "imag"):
        return array.with_(dtype="float32", op=None) if array.dtype == "complex64" else array
    return None


def as_scalar(size: object) -> Value:
    from mlxlint.model.values import Dim

    if isinstance(size, int):
        return Const(size)
    return Scalar("int", dim=size if isinstance(size, Dim) else None)


# of ``x.at[...]``, JAX's as well
_UPDATES = frozenset("add subtract multiply divide maximum minimum set mul max min power apply".split())


def method(receiver: Array, name: str, args: Arguments) -> Value:
    """The result of a method of an array."""
    if name == "item":
        kind = "float" if receiver.dtype in dtypes.FLOATS else "bool" if receiver.dtype == "bool_" else None
        kind = kind or ("int" if receiver.dtype in dtypes.INTEGERS else None)
        return Scalar(kind) if kind else UNKNOWN
    if name == "tolist":
        return UNKNOWN if receiver.rank != 1 else Sequence("list", None, UNKNOWN)
    if name in _UPDATES and receiver.op == "mlx.core.array.at":
        return Array(receiver.dtype, receiver.shape, receiver.layout, confidence=receiver.confidence)
    found = OPERATIONS.get(name)
    if found is None or name in TENSOR_METHODS:
        return _tensor_method(receiver, name, args)
    return found(name, args.after(receiver))


# Methods of PyTorch's tensors that arrays lack. The code raises there; what follows is read as it was meant.
_CASTS = {
    "float": "float32",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "bool": "bool_",
    "bfloat16": "bfloat16",
}
_KEEPING = frozenset(["clone", "contiguous", "cpu", "cuda", "detach", "clamp", "masked_fill", "relu", "neg"])
TENSOR_METHODS = (
    _CASTS.keys()
    | _KEEPING
    | frozenset(
        """
            unsqueeze permute expand expand_as gather index_select masked_select scatter scatter_add index_add
            repeat repeat_interleave flip roll t to type type_as pow mul div sub add matmul mm bmm softmax
            sigmoid tanh view_as reshape_as tril triu eq ne lt le gt ge logical_and logical_or logical_not
            where clip chunk unbind
            """.split()
    )
)


def _tensor_method(receiver: Array, name: str, args: Arguments) -> Value:
    if name not in TENSOR_METHODS:
        return UNKNOWN
    if name in ("chunk", "unbind"):
        count = constant(args.get(0, "chunks"), int) if name == "chunk" else None
        piece = Array(receiver.dtype, confidence=receiver.confidence)
        return Sequence("tuple", (piece,) * count if count is not None and 0 < count <= 64 else None, piece)
    shape = receiver.shape if name in _CASTS or name in _KEEPING else None
    dtype = _CASTS.get(name, receiver.dtype if name in _KEEPING else None)
    return Array(dtype, shape, confidence=receiver.confidence)


def index(array: Array, parts: list[Value | None]) -> Array:
    """The result of reading ``array[parts]``; a part is None for a slice."""
    masks = [p for p in parts if p is not None and any(a.dtype == "bool_" for a in arrays(p))]
    shape = None if masks else shapes.index(array.shape, parts)
    layout = array.layout if shape is not None and array.shape is not None and len(shape) == len(array.shape) else None
    return Array(array.dtype, shape, layout, confidence=array.confidence)
