from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.foreign import iterate
from mlxlint.model.language_models import BATCH, RESPONSE
from mlxlint.model.values import Instance, Value
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, raises, shown

from ._generation import is_batch, is_response
from ._tiny import tiny

_PARTS = {RESPONSE: "text", BATCH: "texts"}


class ResponseAsText(Rule):
    """What `stream_generate` or `batch_generate` gives is used as if it were text

    ## What it does
    Finds objects of `stream_generate` that are joined, added to a string, printed piece by piece, unpacked, indexed, or
    asked for a string's methods, and the result of `batch_generate` that is iterated, indexed or counted.

    ## PyTorch and MLX
    A streamer of transformers yields strings, and early releases of MLX-LM did too. `stream_generate` yields a
    `GenerationResponse` with `text`, `token`, `logprobs`, `finish_reason` and counts. `batch_generate` returns one
    `BatchResponse` with `texts`. Neither is a string or a sequence, so that such uses raise `TypeError`.

    ## Example
    ```python
    from mlx_lm import load, stream_generate

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    answer = ""
    for part in stream_generate(model, tokenizer, "What is MLX?"):
        answer += part
    ```

    ## Use instead
    ```python
    from mlx_lm import load, stream_generate

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    answer = ""
    for part in stream_generate(model, tokenizer, "What is MLX?"):
        answer += part.text
    ```

    ## Fix safety
    Unsafe: it takes the text, which is meant nearly always.

    ## References
    - [MLX-LM, streaming](https://github.com/ml-explore/mlx-lm#streaming)
    """

    code = "MLX702"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"join", "print", "write", "len", "zip", "enumerate", "list"})
    attributes = frozenset(dir(str))
    message = "`{response}` is a `{type}`, not text: take its `{part}`"
    operators = frozenset({cst.Add})

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        if isinstance(node.operator, cst.AddAssign) and is_response(context.value(node.value)):
            self._report(node.value, context)

    def visit_BinaryOperation(self, node: cst.BinaryOperation, context: Context) -> None:
        for side in (node.left, node.right):
            if is_response(context.value(side)):
                self._report(side, context)

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        value = context.value(node.value)
        if is_response(value) or is_batch(value):
            self._report(node.value, context)

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value = context.value(node.value)
        if is_response(value) and node.attr.value not in api.members(RESPONSE, context.target_mlx_lm.newest):
            self._report(node.value, context)

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check_loop(node.target, node.iter, context)

    def visit_CompFor(self, node: cst.CompFor, context: Context) -> None:
        self._check_loop(node.target, node.iter, context)

    def _check_loop(self, target: cst.BaseExpression, items: cst.BaseExpression, context: Context) -> None:
        value = context.value(items)
        if is_batch(value):
            self._report(items, context)
        elif isinstance(target, (cst.Tuple, cst.List)) and is_response(iterate(value)):
            self._report(target, context, iterate(value))

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee is None or not node.args:
            return
        name = callee.rpartition(".")[2]
        if callee == "builtins.str.join":
            element = iterate(context.value(node.args[0].value))
            if is_response(element):
                self._report(node.args[0].value, context, element)
        elif name in ("print", "write"):
            pieces = name == "write" or any(arg.keyword is not None and arg.keyword.value == "end" for arg in node.args)
            self._check_arguments(node, context, pieces, False)
        elif callee.startswith("builtins."):
            self._check_arguments(node, context, name == "len", True)

    def _check_arguments(self, call: cst.Call, context: Context, responses: bool, batches: bool) -> None:
        for arg in call.args:
            value = context.value(arg.value)
            if arg.keyword is None and ((responses and is_response(value)) or (batches and is_batch(value))):
                self._report(arg.value, context)

    def _report(self, node: cst.BaseExpression, context: Context, value: Value | None = None) -> None:
        kind = value or context.value(node)
        type = kind.type if isinstance(kind, Instance) else RESPONSE
        part = _PARTS[type]
        fix = None
        if value is None and isinstance(node, (cst.Name, cst.Attribute)):
            text = f"{context.text(node)}.{part}"
            fix = NodeFix(f"Take the `{part}`", [Replace(node, text)], Applicability.UNSAFE)
        context.report(
            self, node, response=context.brief(node), type=type.rpartition(".")[2], part=part, fix=fix,
            repro={"batch": type == BATCH},
        )  # fmt: skip

    @staticmethod
    def repro(batch: bool = False) -> Evidence:
        from mlx_lm import batch_generate, stream_generate

        model, tokenizer = tiny()
        if batch:
            answers = batch_generate(model, tokenizer, [[3, 4]], max_tokens=2)
            remedy = shown(len(answers.texts) == 1, f"{answers.texts}")
            return Evidence(raises(lambda: list(answers), TypeError), remedy)
        responses = list(stream_generate(model, tokenizer, "the cat", max_tokens=2))
        text = "".join(response.text for response in responses)
        return Evidence(raises(lambda: "".join(responses), TypeError), shown(isinstance(text, str), repr(text)))
