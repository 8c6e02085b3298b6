from __future__ import annotations

from typing import Literal

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

from ._flow import last_bound

_DEFAULTS = {"group_size": 64, "bits": 4}
_READING = frozenset({"dequantize", "quantized_matmul", "gather_qmm"})
_QUANTIZE = "mlx.core.quantize"
_WITHOUT_BIASES = frozenset({"mxfp4", "mxfp8", "nvfp4"})


class QuantizedParts(Rule):
    """The parts of a quantised array are unpacked or read in another way than they were made

    ## What it does
    Finds `mx.quantize` unpacked into three names in a mode that has no biases, or into one that is then used as an
    array, and `mx.dequantize`, `mx.quantized_matmul` and `mx.gather_qmm` that are not given the group size and bits
    with which their weights were quantised in the same function.

    ## PyTorch and MLX
    A quantised tensor of PyTorch knows its parameters. In MLX it is three arrays, or two for `mxfp4`, `mxfp8` and
    `nvfp4`, and nothing in them says how they are packed: read with other parameters they raise, or, where the shapes
    happen to fit, give other numbers.

    ## Example
    ```python
    import mlx.core as mx

    packed, scales, biases = mx.quantize(mx.ones((32, 64)), group_size=32, bits=8)
    restored = mx.dequantize(packed, scales, biases)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    packed, scales, biases = mx.quantize(mx.ones((32, 64)), group_size=32, bits=8)
    restored = mx.dequantize(packed, scales, biases, group_size=32, bits=8)
    ```

    ## References
    - [quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.core.quantize.html)
    """

    code = "MLX806"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = _READING | {"quantize"}
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee == _QUANTIZE:
            self._check_unpacking(node, context)
        elif callee.startswith("mlx.core.") and callee[9:] in _READING and not context.arguments(node).starred:
            self._check_parameters(node, callee[9:], context)

    def _check_unpacking(self, node: cst.Call, context: Context) -> None:
        mode = constant(context.value(context.argument(node, None, "mode")), str)
        parent = context.parent(node)
        target = parent.targets[0].target if isinstance(parent, cst.Assign) else None
        if not isinstance(target, (cst.Tuple, cst.List)) or context.arguments(node).starred:
            return
        elements = target.elements
        if any(isinstance(element, cst.StarredElement) for element in elements):
            return
        if len(elements) == 3 and mode in _WITHOUT_BIASES:
            problem = f"`mx.quantize` has no biases in mode `{mode}`, and returns two arrays"
            context.report(self, node, problem=problem, repro={"case": "unpacked"})
        elif len(elements) != 3 and (mode == "affine" or context.argument(node, None, "mode") is None):
            problem = f"`mx.quantize` returns the weight, scales and biases: three arrays, not {len(elements)}"
            context.report(self, node, problem=problem, repro={"case": "three"})

    def _check_parameters(self, node: cst.Call, name: str, context: Context) -> None:
        first = 0 if name == "dequantize" else 1
        packed = node.args[first].value if len(node.args) > first else None
        made = last_bound(packed, context) if isinstance(packed, cst.Name) else None
        made = made or _unpacked(packed, context)
        if not isinstance(made, cst.Call) or context.callee(made) != _QUANTIZE or context.arguments(made).starred:
            return
        if constant(context.value(context.argument(made, None, "mode")), str) not in (None, "affine"):
            return
        for option, default in _DEFAULTS.items():
            written = context.argument(made, ("group_size", "bits").index(option) + 1, option)
            read = context.argument(node, None, option) or _positional(node, name, option, context)
            stated = default if written is None else constant(context.value(written), int)
            taken = default if read is None else constant(context.value(read), int)
            if stated is not None and taken is not None and stated != taken:
                problem = f"quantised with `{option}={stated}`, and read with {taken}"
                context.report(
                    self, node, because=[("quantised here", made)], problem=problem, confidence=Confidence.LIKELY
                )
                return

    @staticmethod
    def repro(case: Literal["unpacked", "three", "parameters"] = "parameters") -> Evidence:
        import mlx.core as mx

        w = mx.random.normal((32, 64), key=mx.random.key(0))
        if case == "unpacked":
            hazard = raises(lambda: mx.quantize(w, group_size=32, bits=4, mode="mxfp4")[2], IndexError)
            count = len(mx.quantize(w, group_size=32, bits=4))
            return Evidence(hazard, shown(count == 3, f"in the affine mode there are {count}"))
        parts = mx.quantize(w, group_size=32, bits=8)
        if case == "three":
            return Evidence(
                shown(len(parts) == 3, f"{len(parts)} arrays are returned"),
                shown(mx.dequantize(*parts, group_size=32, bits=8).shape == w.shape, "all three are needed to read it"),
            )
        try:
            shape = mx.dequantize(*parts).shape
            hazard = shown(shape != w.shape, f"read with the defaults: an array of shape {shape} instead of {w.shape}")
        except ValueError as error:
            hazard = shown(True, str(error)[:120])
        restored = mx.dequantize(*parts, group_size=32, bits=8)
        distance = mx.abs(restored - w).max().item()
        return Evidence(hazard, shown(distance < 0.05, f"read as it was written it is off by {distance:.3f} at most"))


def _unpacked(packed: cst.BaseExpression | None, context: Context) -> cst.BaseExpression | None:
    """The call whose results a name was unpacked from, as the first of several."""
    if not isinstance(packed, cst.Name):
        return None
    code = context.enclosing_function(packed)
    found = None
    for node in context.walk(context.tree if code is None else code.node.body):
        if node is packed:
            break
        target = node.targets[0].target if isinstance(node, cst.Assign) else None
        if isinstance(node, cst.Assign) and isinstance(target, (cst.Tuple, cst.List)):
            names = [element.value.value for element in target.elements if isinstance(element.value, cst.Name)]
            if packed.value in names:
                found = node.value
    return found


def _positional(node: cst.Call, name: str, option: str, context: Context) -> cst.BaseExpression | None:
    places = {"dequantize": {"group_size": 3, "bits": 4}, "quantized_matmul": {"group_size": 5, "bits": 6}}
    return context.argument(node, places[name][option]) if name in places else None
