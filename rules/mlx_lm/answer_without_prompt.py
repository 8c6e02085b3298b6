from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown

from ._generation import GENERATE, prompt_of
from ._tiny import tiny


class AnswerWithoutPrompt(Rule):
    """The prompt is cut off from an answer that does not contain it

    ## What it does
    Finds `generate(...)[len(prompt):]`, `answer.replace(prompt, "")`, `answer.split(prompt)` and
    `answer.removeprefix(prompt)`, where the answer comes from `mlx_lm.generate` with that prompt.

    ## PyTorch and MLX
    `model.generate` of transformers returns the prompt's tokens and the new ones, so that scripts cut the prompt off.
    `mlx_lm.generate` returns the new text alone: cutting takes the beginning of the answer away.

    ## Example
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    prompt = "What is MLX?"
    answer = generate(model, tokenizer, prompt)[len(prompt):]
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    prompt = "What is MLX?"
    answer = generate(model, tokenizer, prompt)
    ```

    ## Fix safety
    Unsafe: the slice is left out.

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX717"
    kind = Kind.SILENT
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"replace", "split", "removeprefix", "partition"})
    message = "the answer does not begin with `{prompt}`: this takes away text that was generated"

    def visit_Subscript(self, node: cst.Subscript, context: Context) -> None:
        part = node.slice[0].slice
        if not isinstance(part, cst.Slice) or not isinstance(part.lower, cst.Call) or part.upper is not None:
            return
        prompt = _prompt(node.value, context)
        lower = part.lower
        if prompt is None or context.callee(lower) != "builtins.len" or dotted(lower.args[0].value) != prompt:
            return
        fix = NodeFix("Leave out the slice", [Replace(node, context.text(node.value))], Applicability.UNSAFE)
        context.report(self, node, prompt=prompt, fix=fix)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not isinstance(node.func, cst.Attribute) or not node.args or "generate" not in context.module.text:
            return
        prompt = _prompt(node.func.value, context)
        if prompt is not None and dotted(node.args[0].value) == prompt:
            context.report(self, node, prompt=prompt)

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm import generate

        model, tokenizer = tiny()
        prompt = "the cat"
        answer = generate(model, tokenizer, prompt, max_tokens=4)
        cut = answer[len(prompt) :]
        hazard = shown(not answer.startswith(prompt) and cut != answer, f"{answer!r} becomes {cut!r}")
        return Evidence(hazard, shown(bool(answer), f"the answer alone: {answer!r}"))


def _prompt(answer: cst.BaseExpression, context: Context) -> str | None:
    """The name of the prompt for which a text was generated."""
    call: cst.CSTNode | None = answer
    if isinstance(answer, cst.Name):
        call = _assigned(answer, context)
    if not isinstance(call, cst.Call) or context.callee(call) != GENERATE:
        return None
    return dotted(prompt_of(call, GENERATE, context))


def _assigned(name: cst.Name, context: Context) -> cst.CSTNode | None:
    """The one call that a name is assigned in the function around it."""
    function = context.enclosing(name, cst.FunctionDef)
    body: cst.CSTNode = context.tree if function is None else function.body
    given = [
        node.value
        for node in context.nodes(body, cst.Assign)
        if any(dotted(target.target) == name.value for target in node.targets)
    ]
    calls = [value for value in given if isinstance(value, cst.Call) and context.callee(value) == GENERATE]
    return calls[0] if len(calls) == 1 else None
