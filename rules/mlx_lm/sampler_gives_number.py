from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Function, Instance, Name, Value, members, scalar_type
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import NAMES
from ._tiny import tiny

_NOT_LISTED = "`logits_processors` is a list of functions, and `{given}` is one function"


class SamplerGivesNumber(Rule):
    """A sampler returns a Python number, or one logits processor stands without a list

    ## What it does
    Finds functions given as `sampler=` that return `.item()` or `int(...)`, and `logits_processors=` with a single
    function.

    ## PyTorch and MLX
    Generation is asynchronous in MLX-LM: a sampler gets log-probabilities of shape (1, vocabulary) and returns an array
    of shape (1,), which is evaluated later. A number raises `TypeError`, and so does a processor that is in no list.

    ## Example
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", sampler=lambda logprobs: mx.argmax(logprobs, axis=-1).item())
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", sampler=lambda logprobs: mx.argmax(logprobs, axis=-1))
    ```

    ## Fix safety
    Safe: a single processor is put into a list. A sampler is left to you.

    ## References
    - [MLX-LM, sample_utils.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/sample_utils.py)
    """

    code = "MLX716"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = NAMES
    message = "a sampler returns an array, and this returns a Python `{type}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not (context.callee(node) or "").startswith("mlx_lm."):
            return
        sampler = context.argument(node, None, "sampler")
        for number in _numbers(context.value(sampler), context) if sampler is not None else ():
            context.report(self, sampler or node, type=scalar_type(number))
            break
        processor = context.argument(node, None, "logits_processors")
        if processor is not None and all(map(_is_function, members(context.value(processor)))):
            fix = NodeFix("Put it into a list", [Replace(processor, f"[{context.text(processor)}]")])
            context.report(
                self, processor, template=_NOT_LISTED, given=context.brief(processor), fix=fix, repro={"listed": False}
            )

    @staticmethod
    def repro(listed: bool = True) -> Evidence:
        import mlx.core as mx
        from mlx_lm import generate

        model, tokenizer = tiny()

        def number(logprobs: mx.array) -> object:
            return mx.argmax(logprobs, axis=-1).item()

        def array(logprobs: mx.array) -> mx.array:
            return mx.argmax(logprobs, axis=-1)

        def processor(tokens: mx.array, logits: mx.array) -> mx.array:
            return logits

        wrong = {"sampler": number} if listed else {"logits_processors": processor}
        right = {"sampler": array} if listed else {"logits_processors": [processor]}
        hazard = raises(lambda: generate(model, tokenizer, "the cat", max_tokens=2, **wrong), TypeError)
        text = generate(model, tokenizer, "the cat", max_tokens=2, **right)
        return Evidence(hazard, shown(isinstance(text, str), f"{text!r}"))


def _is_function(value: Value) -> bool:
    return isinstance(value, Function) or (isinstance(value, Name) and value.name.startswith("mlx_lm."))


def _numbers(sampler: Value, context: Context) -> Iterator[Value]:
    """What a sampler returns, where that is a number."""
    code = context.function(sampler) if isinstance(sampler, (Function, Instance)) else None
    if code is None:
        return
    if isinstance(code.node, cst.Lambda):
        returned = [code.node.body]
    else:
        nodes = (node for node in context.walk(code.node.body) if isinstance(node, cst.Return))
        returned = [node.value for node in nodes if node.value is not None]
    for node in returned:
        value = code.module.values.get(node)
        made = isinstance(node, cst.Call) and (
            context.callee(node) in ("builtins.int", "mlx.core.array.item", "mlx.core.array.tolist")
        )
        if value is not None and (made or scalar_type(value) in ("int", "float")):
            yield value
