from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Sequence, constant
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, raises, shown

_OF_PEFT = {
    "r": "rank",
    "lora_alpha": "scale",
    "alpha": "scale",
    "lora_dropout": "dropout",
    "target_modules": "keys",
    "lora_rank": "rank",
}
_ALPHA = re.compile(r"(^|_)alpha$", re.IGNORECASE)
_NEEDED = ("rank", "scale", "dropout")


class LoraSettings(Rule):
    """LoRA settings of PEFT, or with keys that match no layer, are given to MLX-LM

    ## What it does
    Finds dicts for `linear_to_lora_layers` with `r`, `lora_alpha`, `lora_dropout` or `target_modules`, dicts that lack
    `rank`, `scale` or `dropout`, `keys` without a dot, and an alpha that is given as the `scale` undivided.

    ## PyTorch and MLX
    PEFT's names are `r`, `lora_alpha` (divided by `r`), `lora_dropout` and `target_modules`. MLX-LM reads `rank`,
    `scale` (which multiplies as it is), `dropout` and `keys`; it raises for the first three if they are missing. Keys
    are paths in a layer such as `self_attn.q_proj`: a bare `q_proj` matches nothing, and nothing is trained.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    model.freeze()
    linear_to_lora_layers(model, 4, {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0})
    ```

    ## Use instead
    ```python
    from mlx_lm import load
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    model.freeze()
    linear_to_lora_layers(model, 4, {"rank": 8, "scale": 16 / 8, "dropout": 0.0})
    ```

    ## References
    - [MLX-LM, LoRA](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/LORA.md)
    """

    code = "MLX714"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"linear_to_lora_layers", "dict"})
    message = "{problem}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node) or ""
        if callee == "builtins.dict" and "mlx_lm" in context.frameworks:
            keywords = context.arguments(node).keywords
            self._check_scale({name: arg.value for name, arg in keywords.items()}, context)
            return
        settings = context.argument(node, 2, "config")
        value = context.value(settings)
        if settings is None or not callee.startswith("mlx_lm.tuner.") or not isinstance(value, Dict):
            return
        foreign = next((name for name in value.items if name in _OF_PEFT), None)
        missing = [name for name in _NEEDED if name not in value.items]
        if foreign is not None:
            problem = f"MLX-LM does not read `{foreign}`: it is `{_OF_PEFT[foreign]}`"
        elif value.closed and missing:
            problem = f"the settings lack `{missing[0]}`"
        elif (bare := _bare_key(value)) is not None:
            problem = f"`{bare}` matches no layer: keys are paths such as `self_attn.{bare}`"
        else:
            return
        context.report(self, settings, problem=problem)

    def visit_Dict(self, node: cst.Dict, context: Context) -> None:
        if len(node.elements) < len(_NEEDED) or "mlx_lm" not in context.frameworks:
            return
        given = {
            constant(context.value(element.key), str): element.value
            for element in node.elements
            if isinstance(element, cst.DictElement)
        }
        self._check_scale(given, context)

    def _check_scale(self, given: Mapping[str | None, cst.BaseExpression], context: Context) -> None:
        scale = given.get("scale") if "rank" in given else None
        name = None if scale is None else _last_part(scale, context)
        if scale is not None and name is not None and _ALPHA.search(name):
            problem = (
                f"`scale` multiplies as it is: of PEFT's settings it is `{context.brief(scale)}` divided by the rank"
            )
            context.report(self, scale, problem=problem, confidence=Confidence.LIKELY)

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm.tuner.utils import linear_to_lora_layers

        from ._tiny import tiny

        model, _ = tiny()
        hazard = raises(lambda: linear_to_lora_layers(model, 1, {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0}))
        tiny.cache_clear()
        model, _ = tiny()
        linear_to_lora_layers(model, 1, {"rank": 2, "scale": 2.0, "dropout": 0.0, "keys": ["self_attn.q_proj"]})
        tiny.cache_clear()
        return Evidence(hazard, shown("LoRALinear" in str(model), "with rank, scale and dropout there is an adapter"))


def _last_part(node: cst.BaseExpression, context: Context) -> str | None:
    """What an expression is called: `alpha` for `alpha`, `args.alpha` and `config["alpha"]`."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return node.attr.value
    if isinstance(node, cst.Subscript) and isinstance(node.slice[0].slice, cst.Index):
        key: str | None = constant(context.value(node.slice[0].slice.value), str)
        return key
    return None


def _bare_key(settings: Dict) -> str | None:
    keys = settings.items.get("keys")
    if not isinstance(keys, Sequence) or not keys.items:
        return None
    names = [constant(item, str) for item in keys.items]
    return next((name for name in names if isinstance(name, str) and "." not in name), None)
