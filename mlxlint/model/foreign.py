"""Coarse semantics of the frameworks an MLX file mixes with: PyTorch, NumPy, Python's builtins.

What matters is which framework an object belongs to, so that nothing of theirs is taken for MLX's.
"""

from __future__ import annotations

from mlxlint.model import ops, shapes
from mlxlint.model.arguments import Arguments
from mlxlint.model.values import (
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
    Tree,
    Value,
    arrays,
    constant,
    join_all,
    members,
    scalar_type,
)

TENSOR, NDARRAY, NUMPY_SCALAR = "torch.Tensor", "numpy.ndarray", "numpy.generic"
_NUMPY_OBJECTS = frozenset(
    """
        load dtype finfo iinfo errstate printoptions save savez savez_compressed savetxt set_printoptions
        seterr
        """.split()
)
_DTYPE_AT = {"zeros": 1, "ones": 1, "empty": 1, "full": 2, "array": 1, "asarray": 1, "ascontiguousarray": 1}
_NUMPY_BOOLS = frozenset(["allclose", "array_equal", "isscalar", "issubdtype"])
_BOOL_UFUNCS = frozenset(
    """
        isnan isinf isfinite isin logical_and logical_or logical_not greater less equal not_equal
        greater_equal less_equal isclose
        """.split()
)


def numpy_function(name: str, args: Arguments) -> Value:
    """The result of ``numpy.NAME(...)``."""
    if name.startswith("random."):
        if name in ("random.default_rng", "random.RandomState", "random.Generator"):
            return Instance(GENERATOR)
        return drawn(name[7:], args)
    if name in _NUMPY_OBJECTS:
        return UNKNOWN
    if name in _NUMPY_BOOLS:
        return Scalar("bool")
    if name in ("ndim", "size"):
        return Scalar("int")
    if name in ("shape", "broadcast_shapes"):
        return Sequence("tuple", None, Scalar("int"))
    if name in ("meshgrid", "split", "array_split", "nonzero", "where", "unravel_index", "broadcast_arrays"):
        if name != "where" or len(args.positional) == 1:
            return Sequence("tuple", None, Foreign(NDARRAY, "int64" if name in ("nonzero", "where") else None))
    given = [m for v in args.positional for m in members(v)]
    stated = args.get(_DTYPE_AT.get(name), "dtype", default=NONE)
    dtype = constant(stated, str)
    if isinstance(stated, Name) and stated.name.startswith("numpy."):
        dtype = stated.name[6:].rstrip("_")
    unstated = isinstance(stated, Const) and stated.value is None
    if given and all(scalar_type(v) in ("int", "float", "bool") for v in given) and name in _UFUNCS:
        return Foreign(NUMPY_SCALAR, "float64", ())
    if name in ("argmax", "argmin") and len(args.positional) == 1 and not args.keywords and not args.starred:
        return Foreign(NUMPY_SCALAR, "int64", ())
    if name in ("float32", "float64", "float16", "int32", "int64"):
        return Foreign(NUMPY_SCALAR, name, ()) if given and scalar_type(given[0]) else Foreign(NDARRAY, name)
    if name in ("array", "asarray", "ascontiguousarray", "copy"):
        source = given[0] if given else UNKNOWN
        if unstated and isinstance(source, (Array, Foreign)):
            dtype = (source.dtype or "").rstrip("_") or None
        shape = source.shape if isinstance(source, (Array, Foreign)) else None
        return Foreign(NDARRAY, dtype, shape)
    if name in ("zeros", "ones", "empty", "full"):
        return Foreign(
            NDARRAY,
            dtype or ("float64" if name != "full" and unstated else None),
            shapes.of_values(args.get(0, "shape")),
        )
    if name in _BOOL_UFUNCS:
        return Foreign(NDARRAY, "bool")
    if name == "flatnonzero":
        return Foreign(NDARRAY, "int64", (None,))
    return Foreign(NDARRAY, dtype, _shape_as_in_mlx(name, args))


# Functions that MLX has too, with the same arguments in the first two places.
_AS_IN_MLX = frozenset(
    """
    abs add all any arange argmax argmin argsort broadcast_to ceil clip concatenate cos divide exp expand_dims flatten
    floor full_like log log1p max maximum mean min minimum moveaxis multiply ones_like power prod reshape round sign
    sin sort sqrt square squeeze stack std subtract sum swapaxes tanh transpose var where zeros_like
    """.split()
)


def _shape_as_in_mlx(name: str, args: Arguments) -> Shape | None:
    """The shape of a NumPy function's result, where MLX's function of the name gives the same; none of one number."""
    if name not in _AS_IN_MLX or args.starred or (len(args.positional) > 2 and name in _REDUCTIONS):
        return None
    positional = tuple(_as_mlx(value) for value in args.positional)
    keywords = {name: _as_mlx(value) for name, value in args.keywords.items()}
    result = ops.OPERATIONS[name](name, Arguments(positional, keywords))
    return (result.shape or None) if isinstance(result, Array) else None


_REDUCTIONS = frozenset("all any max mean min prod std sum var".split())


def _as_mlx(value: Value) -> Value:
    if isinstance(value, Foreign):
        return Array(None, value.shape)
    if isinstance(value, Sequence) and any(isinstance(member, Foreign) for member in value.items or ()):
        return Sequence(value.kind, tuple(_as_mlx(item) for item in value.items or ()))
    return value


def broadcast(left: Value, right: Value) -> Shape | None:
    """The shape of what NumPy computes of two operands element by element."""
    return shapes.broadcast(*(ops.shape_of(value) for value in (left, right)))


GENERATOR = "numpy.random.Generator"
_SIZE_AT = {  # where functions that draw numbers take the shape
    "standard_normal": 0, "random": 0, "random_sample": 0, "standard_exponential": 0, "exponential": 1, "poisson": 1,
    "choice": 1, "normal": 2, "uniform": 2, "laplace": 2, "gamma": 2, "beta": 2, "binomial": 2, "integers": 2,
    "randint": 2,
}  # fmt: skip
_INTEGER_DRAWS = frozenset({"integers", "randint", "poisson", "binomial"})


def drawn(name: str, args: Arguments) -> Value:
    """What a function of ``numpy.random``, or a generator's method, returns."""
    if name in ("randn", "rand"):
        sizes = None if args.starred else tuple(shapes.size(value) for value in args.positional)
        return Foreign(NDARRAY, "float64", sizes) if sizes != () else Scalar("float")
    if name == "permutation" and args.positional and scalar_type(args.positional[0]) == "int":
        return Foreign(NDARRAY, "int64", (None,))
    if name not in _SIZE_AT:
        return Foreign(NDARRAY)
    size = args.get(_SIZE_AT[name], "size", default=NONE)
    if isinstance(size, Const) and size.value is None:
        if name == "choice" or not all(scalar_type(value) for value in args.positional):
            return UNKNOWN  # one of what is chosen from; as many as there are limits
        return Scalar("int" if name in _INTEGER_DRAWS else "float")
    stated = args.has(None, "dtype") or name == "choice"
    dtype = None if stated else "int64" if name in _INTEGER_DRAWS else "float64"
    return Foreign(NDARRAY, dtype, shapes.of_values(size))


_UFUNCS = frozenset(
    """
    sqrt exp log log2 log10 sin cos tan abs power cbrt square float_power prod ceil floor
    """.split()
)
_TORCH_OBJECTS = (
    "torch.nn.",
    "torch.optim.",
    "torch.utils.",
    "torch.cuda",
    "torch.device",
    "torch.Generator",
    "torch.backends",
    "torch.distributed",
    "torch.jit",
    "torch.autograd",
    "torch.set_",
    "torch.manual_seed",
    "torch.no_grad",
    "torch.inference_mode",
    "torch.save",
    "torch.compile",
    "torch.get_",
    "torch.mps",
    "torch.Size",
    "torch.dtype",
)


def torch_function(name: str, args: Arguments) -> Value:
    """The result of calling ``NAME`` of torch."""
    if name.startswith(("torch.nn.functional.", "torch.Tensor", "torch.linalg.", "torch.fft.")):
        return Foreign(TENSOR)
    if name == "torch.nn.Parameter" or name == "torch.nn.parameter.Parameter":
        return Foreign(TENSOR)
    if name == "torch.load":
        return Dict(element=Foreign(TENSOR, confidence=LIKELY), confidence=LIKELY)
    if name in (
        "torch.max",
        "torch.min",
        "torch.topk",
        "torch.sort",
        "torch.split",
        "torch.chunk",
        "torch.meshgrid",
        "torch.where",
    ):
        return UNKNOWN if name != "torch.where" or len(args.positional) == 1 else Foreign(TENSOR)
    if name.startswith(_TORCH_OBJECTS):
        return Instance(name, None, args.positional, args.keywords)
    if name.count(".") == 1 and name.rpartition(".")[2].islower():
        return Foreign(TENSOR)
    return UNKNOWN


def attribute(value: Foreign, name: str) -> Value | None:
    """A data attribute of a foreign object; None for methods."""
    if name == "shape":
        if value.shape is None:
            return Sequence("tuple", None, Scalar("int"))
        return Sequence("tuple", tuple(ops.as_scalar(s) for s in value.shape))
    if name in ("ndim", "size", "nbytes", "itemsize") and value.type != TENSOR:
        return Scalar("int")
    if name in ("T", "mT", "H", "real", "imag", "data", "grad") and value.type in (TENSOR, NDARRAY):
        return Foreign(value.type, value.dtype, value.shape[::-1] if name == "T" and value.shape else None)
    if name in ("ndim",):
        return Scalar("int")
    return None


def module_method(name: str) -> Value | None:
    """The result of a method of a PyTorch module; None where it is not known."""
    tensor = Foreign(TENSOR)
    if name == "state_dict":
        return Dict(element=tensor)
    if name in ("parameters", "buffers"):
        return Sequence("iterator", None, tensor)
    if name in ("named_parameters", "named_buffers"):
        return Sequence("iterator", None, Sequence("tuple", (Scalar("str"), tensor)))
    return None


_SCALAR_METHODS = frozenset({"item", "dim", "numel", "nelement", "element_size", "storage_offset", "get_device"})
_PLAIN = frozenset(
    {"tolist", "max", "min", "sort", "topk", "split", "chunk", "unbind", "nonzero", "save", "tobytes", "tofile"}
)


def method(value: Foreign, name: str, args: Arguments) -> Value:
    """The result of a method of a tensor or a NumPy array."""
    if value.type == TENSOR:
        if name == "numpy":
            return Foreign(NDARRAY, None, value.shape)
        if name in ("split", "chunk", "unbind"):
            return Sequence("tuple", None, Foreign(TENSOR, value.dtype))
        if name in _SCALAR_METHODS:
            return Scalar("int") if name != "item" else UNKNOWN
        if name == "size":
            return Scalar("int") if args.positional else Sequence("tuple", None, Scalar("int"))
        return UNKNOWN if name in _PLAIN else Foreign(TENSOR)
    if value.type == NDARRAY:
        if name in ("tolist", "item", "tobytes", "tofile", "dump", "nonzero", "sort", "fill"):
            return UNKNOWN
        if name == "astype":
            dtype = args.get(0, "dtype")
            if (own := ops.dtype_of(dtype)) is not None:  # NumPy's array would raise
                return Array(own, value.shape, confidence=LIKELY)
            return Foreign(NDARRAY, _dtype_name(dtype), value.shape)
        shape = value.shape if name == "copy" else _shape_as_in_mlx(name, args.after(value))
        if name in ("copy", "reshape", "transpose", "flatten", "ravel", "clip", "round", "squeeze", "repeat", "take"):
            return Foreign(NDARRAY, value.dtype, shape)
        return Foreign(NDARRAY, None, shape)
    return UNKNOWN


_INTEGERS_OF_MATH = frozenset("ceil floor trunc prod gcd lcm isqrt comb perm factorial".split())


def number_type(name: str) -> str:
    """What a function of ``math`` or ``time``, by its qualified name, returns: "int", "float" or "bool"."""
    module, _, function = name.partition(".")
    if module == "math" and function.startswith("is") and function != "isqrt":
        return "bool"
    return "int" if function in _INTEGERS_OF_MATH or function.endswith("_ns") else "float"


_OF_PYTHON = {"builtins.bool": "bool", "builtins.int": "int64", "builtins.float": "float64"}


def _dtype_name(dtype: Value) -> str | None:
    """The dtype that ``np.int32``, ``"int32"`` or ``int`` names."""
    if isinstance(dtype, Name):
        return dtype.name[6:].rstrip("_") if dtype.name.startswith("numpy.") else _OF_PYTHON.get(dtype.name)
    name: str | None = constant(dtype, str)
    return name


_BUILTIN_TYPES = {
    "int": "int", "float": "float", "bool": "bool", "str": "str", "len": "int", "repr": "str",
    "ord": "int", "chr": "str", "hash": "int", "id": "int", "isinstance": "bool", "hasattr": "bool",
    "callable": "bool", "issubclass": "bool", "any": "bool", "all": "bool", "format": "str", "bytes": "bytes",
    "input": "str", "ascii": "str",
}  # fmt: skip


def builtin(name: str, args: Arguments) -> Value:
    """The result of a builtin function."""
    first = args.get(0)
    if name in ("len",) and isinstance(first, (Array, Sequence)):
        known = (
            first.shape[0]
            if isinstance(first, Array) and first.shape
            else len(first.items)
            if isinstance(first, Sequence) and first.items is not None
            else None
        )
        return Const(known) if isinstance(known, int) else Scalar("int")
    if (
        name in ("int", "float", "bool", "str")
        and isinstance(first, Const)
        and isinstance(first.value, (int, float, bool))
        and len(args.positional) == 1
    ):
        try:
            return Const({"int": int, "float": float, "bool": bool, "str": str}[name](first.value))
        except (ValueError, OverflowError):
            return Scalar(name)
    if name == "float" and isinstance(first, Const) and isinstance(first.value, str):
        try:
            return Const(float(first.value))
        except ValueError:
            return Scalar("float")
    if name in ("abs", "round") and any(arrays(first)):
        array = next(arrays(first))
        return Array(array.dtype, array.shape, confidence=array.confidence)
    if name == "round" and args.get(1, "ndigits") is UNKNOWN and scalar_type(first) == "float":
        return Scalar("int")
    if name in ("abs", "round", "max", "min", "sum", "pow"):
        return _numeric(name, args)
    if name in ("list", "tuple", "set", "sorted", "reversed", "iter", "frozenset"):
        return _sequence(name, first)
    if name == "enumerate":
        return Sequence("iterator", None, Sequence("tuple", (Scalar("int"), iterate(first))))
    if name == "zip":
        return Sequence(
            "iterator",
            None,
            Sequence("tuple", tuple(iterate(v) for v in args.positional)) if not args.starred else UNKNOWN,
        )
    if name == "range":
        return Sequence("iterator", None, Scalar("int"))
    if name == "map" and args.positional:
        return Sequence("iterator", None, UNKNOWN)
    if name == "dict":
        if isinstance(first, Dict):
            return first
        pair = iterate(first)
        if isinstance(pair, Sequence) and pair.items is not None and len(pair.items) == 2:
            return Dict(element=pair.items[1])
        return Dict(dict(args.keywords), UNKNOWN)
    if name == "open":
        return Instance("io.TextIOWrapper")
    if name == "next":
        return iterate(first)
    kind = _BUILTIN_TYPES.get(name)
    return Scalar(kind) if kind else UNKNOWN


def _numeric(name: str, args: Arguments) -> Value:
    values = args.positional
    if len(values) == 1 and name in ("max", "min", "sum"):
        element = iterate(values[0])
        if isinstance(element, Array) and name == "sum":
            return Array(element.dtype, element.shape, confidence=element.confidence)
        return element if not isinstance(element, Const) else Scalar(scalar_type(element) or "int")
    kinds = {scalar_type(v) for v in values}
    if name in ("max", "min") and any(isinstance(v, Array) for v in values):
        return join_all(values)
    if None in kinds or not kinds <= {"int", "float", "bool"}:
        return UNKNOWN
    return Scalar("float" if "float" in kinds else "int")


def _sequence(name: str, value: Value) -> Value:
    kind = {"sorted": "list", "reversed": "iterator", "iter": "iterator", "frozenset": "set"}.get(name, name)
    if isinstance(value, Sequence) and kind != "set":
        items = value.items[::-1] if name == "reversed" and value.items is not None else value.items
        return Sequence(kind, None if name == "sorted" else items, value.joined())
    return Sequence(kind, None, iterate(value))


def iterate(value: Value) -> Value:
    """What iterating over a value yields."""
    if isinstance(value, Sequence):
        return value.joined()
    if isinstance(value, Array):
        return Array(value.dtype, value.shape[1:] if value.shape else None, confidence=value.confidence)
    if isinstance(value, Foreign) and value.type in (TENSOR, NDARRAY):
        return Foreign(value.type, value.dtype, value.shape[1:] if value.shape else None)
    if isinstance(value, Dict) or (isinstance(value, Tree) and value.kind in ("parameters", "state")):
        return Scalar("str") if isinstance(value, Tree) or value.items else UNKNOWN
    if scalar_type(value) == "str":
        return Scalar("str")
    return UNKNOWN


def container_method(value: Value, name: str, args: Arguments) -> Value:
    """The result of a method of a list, dict, tuple or string."""
    if isinstance(value, Dict):
        element = value.joined()
        if name == "items":
            return Sequence(
                "iterator", None, Sequence("tuple", (Scalar("str", LIKELY) if value.items else UNKNOWN, element))
            )
        if name == "values":
            return Sequence("iterator", None, element)
        if name in ("get", "pop", "setdefault"):
            key = constant(args.get(0), str)
            return value.items.get(key, value.element) if isinstance(key, str) else value.element
        if name == "copy":
            return value
        if name == "keys":
            return Sequence("iterator", None, Scalar("str", LIKELY))
        return UNKNOWN
    if isinstance(value, Tree):
        if name == "items":
            return Sequence("iterator", None, Sequence("tuple", (Scalar("str"), UNKNOWN)))
        return UNKNOWN
    if isinstance(value, Sequence):
        if name == "pop":
            return value.joined()
        if name == "copy":
            return value
        return Scalar("int") if name in ("index", "count") else UNKNOWN
    if scalar_type(value) == "str":
        if name in ("startswith", "endswith", "isdigit", "isalpha", "isspace", "isupper", "islower"):
            return Scalar("bool")
        if name in ("split", "rsplit", "splitlines"):
            return Sequence("list", None, Scalar("str"))
        if name in ("partition", "rpartition"):
            return Sequence("tuple", (Scalar("str"),) * 3)
        if name in ("find", "rfind", "index", "count"):
            return Scalar("int")
        return Scalar("bytes" if name == "encode" else "str")
    return UNKNOWN
