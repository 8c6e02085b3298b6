from __future__ import annotations

from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.values import UNKNOWN
from mlxlint.rule import Confidence, Evidence, Kind, Observation, Rule, Severity, raises, shown
from mlxlint.rules.api import _types
from mlxlint.rules.api._guards import is_guarded
from mlxlint.rules.api._signatures import entry_of

ERRORS = (TypeError, ValueError, RuntimeError)  # nanobind's, the converters', and std::bad_cast


class ArgumentType(Rule):
    """An argument of a type that an MLX operation does not take

    ## What it does
    Compares the arguments of `mlx.core` functions and array methods with MLX's own signatures: a list of indices
    given to `mx.take`, an array as bound of `mx.arange`, one list of operands for `mx.einsum`, a file and an
    array in the wrong order.

    ## PyTorch and MLX
    PyTorch converts much: lists to tensors, 0-d tensors to numbers, strings to devices. MLX's operations are strict;
    an array, a number and a list are not taken for each other, and the error is often no more than `std::bad_cast`.

    ## Example
    ```python
    import mlx.core as mx

    rows = mx.ones((3, 2))
    picked = mx.take(rows, [0, 2], axis=0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    rows = mx.ones((3, 2))
    picked = mx.take(rows, mx.array([0, 2]), axis=0)
    ```

    ## References
    - [Operations](https://ml-explore.github.io/mlx/build/html/python/ops.html)
    """

    code = "MLX464"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{callee}` takes {wanted} as `{parameter}`, and `{argument}` is {given}"
    yields_to = (
        "shape-as-arguments", "transpose-of-two-axes", "reduction-of-two-arrays", "foreign-dtype", "torch-keyword",
        "condition-without-choices", "unsupported-index", "padded-every-axis", "unknown-option", "norm-of-everything",
        "randint-bound", "split-by-size", "numpy-left-operand", "nested-parameters-saved",
        "mlx-given-foreign-array", "device-by-name", "memory-limit-in-bytes",
    )  # fmt: skip
    calls = frozenset({"mlx.*"})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not node.args:
            return
        callee = context.callee(node)
        if callee is None or not callee.startswith("mlx.core."):
            return
        entry = entry_of(node, context)
        wrong = None if entry is None else _types.mismatch(node, entry, context)
        if entry is None or wrong is None or is_guarded(node, "", context):
            return
        context.report(
            self, wrong.node, because=[wrong.node], callee=explain.short(entry.name), parameter=wrong.parameter.name,
            wanted=_types.described(wrong.accepted), given=_types.NOUNS[wrong.kind], argument=context.brief(wrong.node),
            confidence=Confidence.LIKELY if context.value(wrong.node) is UNKNOWN else None,
            repro={"name": entry.name, "parameter": wrong.parameter.name, "kind": wrong.kind},
        )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.core.take", parameter: str = "indices", kind: str = "list") -> Evidence:
        wrong = lambda: _types.call_with(name, parameter, kind)  # noqa: E731
        return Evidence(raises(wrong, *ERRORS), _is_taken(name, parameter))


def _is_taken(name: str, parameter: str) -> Observation:
    """Whether MLX takes an argument of the right type: what it says of its value does not matter."""
    try:
        result: Any = _types.call_with(name, parameter, None)
    except TypeError as error:
        return shown(False, str(error).partition("\n")[0])
    except (ValueError, RuntimeError) as error:
        return shown("bad_cast" not in str(error), f"taken: {error}")
    return shown(True, f"taken: {type(result).__name__}")
