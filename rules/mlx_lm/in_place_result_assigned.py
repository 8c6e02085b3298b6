from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._tiny import tiny

_TRIM = "mlx_lm.models.cache.trim_prompt_cache"
_GIVES = {
    "mlx.nn.quantize": "None",
    "mlx_lm.tuner.linear_to_lora_layers": "None",
    "mlx_lm.tuner.utils.linear_to_lora_layers": "None",
    "mlx_lm.models.cache.save_prompt_cache": "None",
    _TRIM: "how many tokens it took away",
}


class InPlaceResultAssigned(Rule):
    """A function that works in place is used for its result

    ## What it does
    Finds `model = nn.quantize(model)`, `model = linear_to_lora_layers(model, ...)` and
    `cache = trim_prompt_cache(cache, n)`.

    ## PyTorch and MLX
    PyTorch's `quantize_dynamic` and PEFT's `get_peft_model` return the changed model, and a cropped cache of
    transformers is assigned as well. MLX's functions change the object that they are given: `nn.quantize` and
    `linear_to_lora_layers` return `None`, `trim_prompt_cache` a count. The next use of the name raises.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
    model = nn.quantize(model, bits=4)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
    nn.quantize(model, bits=4)
    ```

    ## Fix safety
    Safe where the result goes to the object's own name: the assignment is left out.

    ## References
    - [quantize](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.quantize.html)
    - [MLX-LM, cache.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/cache.py)
    """

    code = "MLX709"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"quantize", "linear_to_lora_layers", "trim_prompt_cache", "save_prompt_cache"})
    message = "`{function}` changes `{subject}` in place and returns {gives}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _GIVES or not node.args or node.args[0].star:
            return
        subject = node.args[0].value
        parent = context.parent(node)
        own = _is_bound_to(parent, dotted(subject))
        used = own or isinstance(parent, (cst.Assign, cst.Return, cst.Attribute, cst.Arg, cst.NamedExpr))
        if own if callee == _TRIM else used:
            fix = None
            if isinstance(parent, cst.Assign) and own:
                others = [each.target for each in parent.targets if dotted(each.target) != dotted(subject)]
                text = " = ".join(context.text(each) for each in (*others, node))
                fix = NodeFix("Leave the assignment out", [Replace(parent, text)], Applicability.SAFE)
            context.report(
                self, node, function=explain.short(callee).rpartition("mlx_lm.")[2], subject=context.brief(subject),
                gives=_GIVES[callee] if callee == _TRIM else "`None`", fix=fix, repro={"name": callee},
            )  # fmt: skip

    @staticmethod
    def repro(name: str = "mlx.nn.quantize") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn

        if name == "mlx.nn.quantize":
            model = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
            result: object = nn.quantize(model)
            remedy = shown(isinstance(model.layers[0], nn.QuantizedLinear), "the model itself is quantised")
            return Evidence(shown(result is None, f"nn.quantize returns {result!r}"), remedy)
        from mlx_lm.models.cache import make_prompt_cache, save_prompt_cache, trim_prompt_cache
        from mlx_lm.tuner.utils import linear_to_lora_layers

        model, _ = tiny()
        if name.endswith("linear_to_lora_layers"):
            result = linear_to_lora_layers(model, 1, {"rank": 2, "scale": 1.0, "dropout": 0.0})
            remedy = shown("LoRA" in str(model), "the model itself has adapters")
            tiny.cache_clear()
            return Evidence(shown(result is None, f"returns {result!r}"), remedy)
        cache = make_prompt_cache(model)
        mx.eval(model(mx.array([[3, 4, 5]]), cache=cache))
        if name == _TRIM:
            result = trim_prompt_cache(cache, 2)
            remedy = shown(cache[0].offset == 1, f"{cache[0].offset} token is left in the cache itself")
            return Evidence(shown(result == 2, f"trim_prompt_cache returns {result!r}"), remedy)
        result = save_prompt_cache("cache.safetensors", cache)
        saved = shown(bool(mx.load("cache.safetensors")), "the file has the cache")
        return Evidence(shown(result is None, f"returns {result!r}"), saved)


def _is_bound_to(parent: cst.CSTNode | None, name: str | None) -> bool:
    """Whether an assignment binds its value to a dotted name."""
    if isinstance(parent, cst.Assign):
        return name is not None and any(dotted(target.target) == name for target in parent.targets)
    return isinstance(parent, (cst.AnnAssign, cst.NamedExpr)) and name is not None and dotted(parent.target) == name
