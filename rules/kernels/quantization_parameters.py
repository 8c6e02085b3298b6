from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Array, Const, Function, Instance, Value, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

_KINDS = {  # the group sizes and the bits of each mode
    "affine": ((32, 64, 128), (1, 2, 3, 4, 5, 6, 8)),
    "mxfp4": ((32,), (4,)),
    "mxfp8": ((32,), (8,)),
    "nvfp4": ((16,), (4,)),
}
_DEFAULTS = {"affine": 64, "mxfp4": 32, "mxfp8": 32, "nvfp4": 16}
_ARRAY, _MODULE = "mlx.core.quantize", "mlx.nn.quantize"
_LAYERS = {"mlx.nn.Linear": (0, "input_dims"), "mlx.nn.Embedding": (1, "dims")}
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool_")


class QuantizationParameters(Rule):
    """What is quantised does not fit the group size, or the parameters are none that MLX has

    ## What it does
    Finds `mx.quantize` and `nn.quantize` with a group size or a number of bits that the mode does not have, of an array
    that is integer, a vector, or whose last axis is no multiple of the group size, of a model with such a layer and no
    predicate, with a predicate of one argument, and of a single layer, which is left as it is.

    ## PyTorch and MLX
    PyTorch quantises weights of any shape. MLX stores one scale for each group along the last axis: groups of 32, 64 or
    128 with 2 to 8 bits, of 32 for `mxfp4` and `mxfp8`, of 16 for `nvfp4`. Anything else raises, and so does a whole
    `nn.quantize(model)` for one odd layer.

    ## Example
    ```python
    import mlx.core as mx

    packed, scales, biases = mx.quantize(mx.zeros((64, 100)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    packed, scales, biases = mx.quantize(mx.pad(mx.zeros((64, 100)), [(0, 0), (0, 28)]))
    ```

    ## References
    - [quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html)
    - [nn.quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.quantize.html)
    """

    code = "MLX802"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"quantize"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in (_ARRAY, _MODULE) or not node.args or any(arg.star for arg in node.args):
            return
        given = context.argument(node, None, "mode")
        mode = "affine" if given is None else constant(context.value(given), str)
        if mode not in _KINDS:
            return
        sizes, bits = _KINDS[mode]
        stated = context.value(context.argument(node, 1, "group_size"))
        size = constant(stated, int) or (None if context.argument(node, 1, "group_size") else _DEFAULTS[mode])
        width = constant(context.value(context.argument(node, 2, "bits")), int)
        problem = None
        if size is not None and size not in sizes:
            problem = f"`{mode}` quantisation has groups of {' or '.join(map(str, sizes))}, not {size}"
        elif width is not None and width not in bits:
            problem = f"`{mode}` quantisation has {', '.join(map(str, bits))} bits, not {width}"
        elif callee == _ARRAY:
            problem = _unfit(context.value(node.args[0].value), size or _DEFAULTS[mode])
        else:
            problem = _unfit_model(node, size or _DEFAULTS[mode], context)
        if problem is not None:
            context.report(self, node, because=[node.args[0].value], problem=problem)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: mx.quantize(mx.zeros((64, 100))), ValueError)
        parts = mx.quantize(mx.zeros((64, 128)))
        return Evidence(hazard, shown(len(parts) == 3, "a last axis of 128 is quantised"))


def _unfit(value: Value, size: int) -> str | None:
    """Why an array cannot be quantised."""
    if not isinstance(value, Array):
        return None
    if value.dtype in _INTEGERS:
        return f"only floating point arrays are quantised, and this is {value.dtype}"
    if value.rank == 1:
        return "only arrays of two axes and more are quantised, and this is a vector"
    last = value.shape[-1] if value.shape else None
    return f"its last axis of {last} is no multiple of the group size {size}" if _is_odd(last, size) else None


def _unfit_model(call: cst.Call, size: int, context: Context) -> str | None:
    """Why a model cannot be quantised as it is."""
    predicate = context.argument(call, None, "class_predicate")
    if predicate is not None:
        function = context.value(predicate)
        taken = function.code.positional if isinstance(function, Function) and function.receiver is None else None
        if isinstance(function, Function) and taken is not None and len(taken) == 1 and not _variadic(function):
            return "the predicate is called with the path and the module, and this takes one argument"
        return None
    model = context.value(call.args[0].value)
    if isinstance(model, Instance) and model.type in _LAYERS and model.code is None:
        return "a layer itself is left as it is: only what is inside is quantised; call its `to_quantized`"
    for layer in _layers(model):
        index, name = _LAYERS[layer.type]
        width = constant(layer.keywords.get(name, layer.args[index] if index < len(layer.args) else Const(None)), int)
        if _is_odd(width, size):
            return f"a layer has {width} features, which is no multiple of the group size {size}"
    return None


def _variadic(function: Function) -> bool:
    return not isinstance(function.code.node.params.star_arg, cst.MaybeSentinel)


def _is_odd(width: object, size: int) -> bool:
    return isinstance(width, int) and width % size != 0


def _layers(model: Value, depth: int = 6) -> Iterator[Instance]:
    """The linear layers and embeddings in a model, as far as they are known."""
    if isinstance(model, Instance) and depth:
        if model.type in _LAYERS and model.code is None:
            yield model
        inside = model.args if model.code is None else model.code.attributes.values()
        for value in inside if model.code is not None or model.type == "mlx.nn.Sequential" else ():
            yield from _layers(value, depth - 1)
