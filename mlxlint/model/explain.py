"""Saying in words what a value is and why that is known."""

from __future__ import annotations

from mlxlint.model.values import (
    Array,
    Class,
    Const,
    Dict,
    Foreign,
    Function,
    Instance,
    Name,
    Partial,
    Scalar,
    Sequence,
    Tree,
    Value,
    as_array,
)

_ALIASES = {"mlx.core.": "mx.", "mlx.nn.": "nn.", "mlx.optimizers.": "optim.", "numpy.": "np."}


_SAID_BY_USE = {
    "default": "an array stands in for it where it is None",
    "indexed": "indexed as only arrays are",
    "given": "given to a function that takes only arrays",
    "transformed": "a parameter of a transformed function, used as an array",
}


def short(name: str) -> str:
    """A qualified name as people write it: ``mx.softmax``, ``nn.Linear``."""
    name = name.removesuffix(".__call__")
    if name.startswith("mlx.core.array."):
        return "array." + name[15:]
    for prefix, alias in _ALIASES.items():
        if name.startswith(prefix):
            return alias + name[len(prefix) :]
    return name


def kind(value: Value) -> str:
    """A noun phrase for a value: "a boolean mlx array", "a list of strings", "an `nn.Conv2d`"."""
    array = as_array(value)
    if array is not None:
        return _array(array)
    if isinstance(value, Foreign):
        return {"torch.Tensor": "a torch tensor", "numpy.ndarray": "a NumPy array"}.get(value.type, f"a `{value.type}`")
    if isinstance(value, Instance):
        return f"an instance of `{short(value.type)}`"
    if isinstance(value, Const):
        return f"`{value.value!r}`"
    if isinstance(value, Scalar):
        return f"of type `{value.type}`"
    if isinstance(value, Sequence):
        return f"a {value.kind}"
    if isinstance(value, Dict):
        return "a dict"
    if isinstance(value, Tree):
        return f"a nested dict of {value.kind}" if value.kind in ("parameters", "gradients") else "a nested dict"
    if isinstance(value, (Name, Class, Function, Partial)):
        return "callable"
    return "one of several things"


def _array(array: Array) -> str:
    words = (
        "a boolean mlx array"
        if array.dtype == "bool_"
        else f"an mlx array of {array.dtype}"
        if array.dtype
        else "an mlx array"
    )
    if array.layout:
        words += ", " + array.layout.replace("_", "-")
    return words


def origin(value: Value) -> str | None:
    """Where an array came from: "result of `mx.softmax`"; None when that is not known."""
    op = getattr(as_array(value) or value, "op", None)
    if op is None:
        return None
    if op == "parameter":
        return "by convention a layer's input"
    if op in _SAID_BY_USE:
        return _SAID_BY_USE[op]
    if op == "annotation":
        return "annotated so"
    if op == "iteration":
        return "an element of the iterable"
    if op == "mlx.core.array.__getitem__":
        return "result of indexing"
    return f"result of `{short(op.removeprefix('operator.'))}`"
