"""MLX's dtypes and how they combine. Facts by running ``(a.astype(x) + b.astype(y)).dtype`` for every pair."""

from __future__ import annotations

from mlxlint.model.values import Array, Const, Foreign, Scalar, Value, scalar_type

FLOATS = ("float16", "bfloat16", "float32", "float64")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
DTYPES = ("bool_", *UNSIGNED, *SIGNED, *FLOATS, "complex64")


def promote(a: str | None, b: str | None) -> str | None:
    """The dtype of an operation on two arrays; None when either is not known."""
    if a == b or a is None or b is None:
        return a if a == b else None
    if a == "bool_":
        return b
    if b == "bool_":
        return a
    if "complex64" in (a, b):
        return "complex64"
    if "float64" in (a, b):
        return "float64"
    if a in FLOATS and b in FLOATS:
        return "float32"  # float16 with bfloat16, or either with float32
    if a in FLOATS or b in FLOATS:
        return a if a in FLOATS else b
    if (a in SIGNED) == (b in SIGNED):
        return max(a, b, key=_bits)
    signed, unsigned = (a, b) if a in SIGNED else (b, a)
    if _bits(signed) > _bits(unsigned):
        return signed
    return {8: "int16", 16: "int32", 32: "int64"}.get(_bits(unsigned), "float32")


def _bits(dtype: str) -> int:
    return int(dtype.lstrip("uintfloabc_"))


def of_scalar(value: Value) -> str | None:
    """The dtype ``mx.array`` gives a Python scalar."""
    return {"bool": "bool_", "int": "int32", "float": "float32", "complex": "complex64"}.get(scalar_type(value) or "")


def with_scalar(dtype: str | None, kind: str) -> str | None:
    """The dtype of an array of ``dtype`` combined with a Python scalar of type ``kind``, which is weak."""
    if dtype is None:
        return None
    if kind == "complex":
        return "complex64"
    if kind == "float":
        return dtype if dtype in FLOATS or dtype == "complex64" else "float32"
    if kind == "int":
        return "int32" if dtype == "bool_" else dtype
    return dtype


def floating(dtype: str | None) -> str | None:
    """The dtype of a function such as ``exp`` or ``mean`` of an array of ``dtype``."""
    return dtype if dtype is None or dtype in FLOATS or dtype == "complex64" else "float32"


def of_numpy(dtype: str | None) -> str | None:
    """The dtype ``mx.array`` gives NumPy data."""
    return {"bool": "bool_", "float64": "float32", "complex128": "complex64"}.get(dtype or "", dtype)


def combine(a: Value, b: Value) -> str | None:
    """The dtype of a binary operation of which at least one side is an MLX array."""
    if isinstance(a, Array) and isinstance(b, Array):
        return promote(a.dtype, b.dtype)
    array, other = (a, b) if isinstance(a, Array) else (b, a)
    if isinstance(array, Array) and isinstance(other, Foreign) and other.type == "numpy.ndarray":
        return promote(array.dtype, of_numpy(other.dtype))
    if isinstance(array, Array) and isinstance(other, (Const, Scalar)):
        kind = scalar_type(other)
        return with_scalar(array.dtype, kind) if kind in ("bool", "int", "float", "complex") else None
    return None
