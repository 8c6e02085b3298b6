from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Rule,
    Severity,
    shown,
)


class LoraWithoutFreeze(Rule):
    """Adapters are added to a model that is not frozen

    ## What it does
    Finds `linear_to_lora_layers(model, ...)` where nothing freezes the model before it in the same function, and the
    model was loaded there.

    ## PyTorch and MLX
    PEFT's `get_peft_model` freezes the base model. MLX-LM's `linear_to_lora_layers` does not: all weights that can be
    trained are trained, at the cost of full fine-tuning, without a message.

    ## Example
    ```python
    from mlx_lm import load
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model, tokenizer = load("mlx-community/Qwen3-0.6B-bf16")
    linear_to_lora_layers(model, 4, {"rank": 8, "scale": 2.0, "dropout": 0.0})
    ```

    ## Use instead
    ```python
    from mlx_lm import load
    from mlx_lm.tuner.utils import linear_to_lora_layers

    model, tokenizer = load("mlx-community/Qwen3-0.6B-bf16")
    model.freeze()
    linear_to_lora_layers(model, 4, {"rank": 8, "scale": 2.0, "dropout": 0.0})
    ```

    ## Fix safety
    Unsafe: freezing may be meant for a later place.

    ## References
    - [MLX-LM, LoRA](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/LORA.md)
    """

    code = "MLX715"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    calls = frozenset({"linear_to_lora_layers"})
    message = "`{model}` is not frozen: all of it is trained beside the adapters"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        model = context.argument(node, 0, "model")
        name = dotted(model)
        if model is None or name is None or not (context.callee(node) or "").startswith("mlx_lm.tuner."):
            return
        function = context.enclosing(node, cst.FunctionDef)
        scope: cst.CSTNode = context.tree if function is None else function.body
        if _freezes(scope, name, context) or not _loads(scope, name, context):
            return
        fix = NodeFix("Freeze it first", [InsertStatement(node, f"{name}.freeze()", after=False)], Applicability.UNSAFE)
        context.report(self, node, confidence=Confidence.LIKELY, model=name, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        from mlx.utils import tree_flatten
        from mlx_lm.tuner.utils import linear_to_lora_layers

        from ._tiny import tiny

        def trained(freeze: bool) -> list[str]:
            tiny.cache_clear()
            model, _ = tiny()
            if freeze:
                model.freeze()
            linear_to_lora_layers(model, 1, {"rank": 2, "scale": 2.0, "dropout": 0.0})
            tiny.cache_clear()
            return [name for name, _ in tree_flatten(model.trainable_parameters())]

        loose, frozen = trained(False), trained(True)
        others = [name for name in loose if "lora" not in name]
        hazard = shown(bool(others), f"{len(others)} arrays besides the adapters are trained")
        return Evidence(hazard, shown(all("lora" in name for name in frozen), f"{len(frozen)} arrays, all of adapters"))


def _freezes(scope: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether something freezes a model, or hands it to a function that may."""
    for call, _, _ in context.calls(scope, through=False):
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "freeze":
            return True
        given = any(dotted(arg.value) == name for arg in call.args)
        if given and not (context.callee(call) or "").startswith(("mlx_lm.", "mlx.", "builtins.")):
            return True
    return False


def _loads(scope: cst.CSTNode, name: str, context: Context) -> bool:
    """Whether a model is loaded in a scope: what a caller hands over may be frozen."""
    for node in context.walk(scope):
        if isinstance(node, cst.Assign) and isinstance(node.value, cst.Call):
            target = node.targets[0].target
            first = target.elements[0].value if isinstance(target, cst.Tuple) else target
            if dotted(first) == name and (context.callee(node.value) or "").startswith("mlx_lm."):
                return True
    return False
