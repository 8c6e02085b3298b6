from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._tiny import tiny

_TAKERS = {"mlx_lm.convert": None, "mlx_lm.utils.quantize_model": 6}


class PredicateArguments(Rule):
    """A `quant_predicate` takes another number of arguments than it is given

    ## What it does
    Finds functions given to `convert` and `quantize_model` as `quant_predicate` that cannot be called with a path and
    a module.

    ## PyTorch and MLX
    The predicate decides how each layer is quantised. Its annotation in `convert` still names three arguments, and
    early releases of MLX-LM passed the configuration as the third. It is called with the path and the module:
    anything else raises `TypeError`, after the model was loaded.

    ## Example
    ```python
    from mlx_lm import convert

    convert("Qwen/Qwen3-0.6B", quantize=True, quant_predicate=lambda path, module, config: "mlp" in path)
    ```

    ## Use instead
    ```python
    from mlx_lm import convert

    convert("Qwen/Qwen3-0.6B", quantize=True, quant_predicate=lambda path, module: "mlp" in path)
    ```

    ## References
    - [MLX-LM, utils.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/utils.py)
    """

    code = "MLX725"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"convert", "quantize_model"})
    message = "a `quant_predicate` is called with the path and the module, and this takes {count}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee not in _TAKERS:
            return
        predicate = context.argument(node, _TAKERS[callee], "quant_predicate")
        if not isinstance(predicate, (cst.Name, cst.Lambda)):
            return  # a bound method has one parameter more
        code = context.function(context.value(predicate))
        count = None if code is None else _unfit(code)
        if count is not None:
            context.report(self, predicate, because=[predicate], count=count, repro={"arguments": min(count, 3)})

    @staticmethod
    def repro(arguments: int = 3) -> Evidence:
        from mlx_lm.utils import quantize_model

        predicates = [lambda: True, lambda path: True, lambda path, module: True, lambda path, module, config: True]
        model, _ = tiny(head_size=64)
        hazard = raises(lambda: quantize_model(model, {}, 32, 4, quant_predicate=predicates[arguments]), TypeError)
        tiny.cache_clear()
        _, config = quantize_model(tiny(head_size=64)[0], {}, 32, 4, quant_predicate=predicates[2])
        tiny.cache_clear()
        return Evidence(hazard, shown("quantization" in config, "with path and module the model is quantised"))


def _unfit(code: FunctionCode) -> int | None:
    """How many arguments a function takes, when two by position do not fit."""
    params = code.node.params
    if isinstance(params.star_arg, cst.Param):
        return None
    needed = sum(parameter.default is None for parameter in code.positional)
    keywords = any(parameter.default is None for parameter in params.kwonly_params)
    return None if needed <= 2 <= len(code.positional) and not keywords else len(code.positional)
