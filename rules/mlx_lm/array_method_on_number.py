from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import CERTAIN, Value, scalar_type
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import is_response

_METHODS = frozenset({"item", "tolist", "astype", "squeeze", "reshape", "flatten", "ndim", "dtype", "shape"})


class ArrayMethodOnNumber(Rule):
    """A method of arrays is used on a Python number

    ## What it does
    Finds `item()`, `tolist()`, `astype()`, `shape`, ... on what is surely a Python `int` or `float`: a token that
    `generate_step` or `stream_generate` yields, a part of a shape, the result of another `item()`.

    ## PyTorch and MLX
    In PyTorch token ids are tensors until `item()`. MLX-LM has evaluated them already and yields numbers, and
    `array.shape` and `array.size` are plain integers. Python's numbers have no such methods: `AttributeError`.

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import load
    from mlx_lm.generate import generate_step

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    prompt = mx.array(tokenizer.encode("What is MLX?"))
    for token, logprobs in generate_step(prompt, model, max_tokens=8):
        print(token.item())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx_lm import load
    from mlx_lm.generate import generate_step

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    prompt = mx.array(tokenizer.encode("What is MLX?"))
    for token, logprobs in generate_step(prompt, model, max_tokens=8):
        print(token)
    ```

    ## Fix safety
    Unsafe: `item()` is left out, which is right wherever the number is one.

    ## References
    - [MLX-LM, generate.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/generate.py)
    """

    code = "MLX705"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "`{number}` is a Python `{type}`, which has no `{method}`"
    attributes = _METHODS

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        if node.attr.value not in _METHODS:
            return
        value = context.value(node.value)
        kind = scalar_type(value)
        if kind not in ("int", "float") or value.confidence < CERTAIN or not _is_sure(node.value, context):
            return
        if context.enclosing(node, cst.ExceptHandler) is not None:
            return  # the number was tried first
        call = context.parent(node)
        drops = node.attr.value == "item" and isinstance(call, cst.Call) and not call.args
        fix = None
        if drops and call is not None:
            fix = NodeFix("Leave out `item()`", [Replace(call, context.text(node.value))], Applicability.UNSAFE)
        context.report(
            self, node, because=[node.value], number=context.brief(node.value), type=kind,
            method=node.attr.value, fix=fix,
        )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx_lm.generate import generate_step

        from ._tiny import tiny

        model, _ = tiny()
        token, _ = next(generate_step(mx.array([3, 4]), model, max_tokens=1))
        return Evidence(raises(lambda: token.item(), AttributeError), shown(isinstance(token, int), f"{token!r}"))


def _is_sure(node: cst.BaseExpression, context: Context) -> bool:
    """Whether a number is one by what made it, rather than by an annotation, which is often loose."""
    if isinstance(node, cst.Attribute):
        value: Value = context.value(node.value)
        return is_response(value) or context.array(node.value) is not None
    if not isinstance(node, cst.Name):
        return isinstance(node, (cst.Call, cst.Subscript))
    code = context.enclosing_function(node)
    return code is None or all(parameter.name.value != node.value for parameter in code.parameters)
