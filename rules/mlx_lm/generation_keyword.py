from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import Dict, Function, constant
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    Span,
    raises,
    shown,
)

from ._generation import BATCHED, GENERATE, SPECULATIVE, STEP, STREAM
from ._tiny import tiny

_PASSED_ON = {
    GENERATE: (GENERATE, STREAM, STEP, SPECULATIVE),
    STREAM: (STREAM, STEP, SPECULATIVE),
    BATCHED: (BATCHED, "mlx_lm.generate.BatchGenerator"),
}
_SAMPLER = "pass `sampler=make_sampler({sampling}=...)`"
_PROCESSOR = "pass `logits_processors=make_logits_processors({sampling}=...)`"
_SAMPLING = {"temperature": "temp", **{name: name for name in ("temp", "top_p", "top_k", "min_p")}}
_ADVICE = {
    "temperature": _SAMPLER.format(sampling="temp"),
    "do_sample": _SAMPLER.format(sampling="temp"),
    **{name: _SAMPLER.format(sampling=name) for name in ("temp", "top_p", "top_k", "min_p", "xtc_probability")},
    **{
        name: _PROCESSOR.format(sampling=name)
        for name in ("repetition_penalty", "repetition_context_size", "presence_penalty", "frequency_penalty")
    },
    "logit_bias": _PROCESSOR.format(sampling="logit_bias"),
    "max_new_tokens": "it is `max_tokens`",
    "max_length": "`max_tokens` counts the new tokens",
    "seed": "call `mx.random.seed` before",
    "num_beams": "there is no beam search",
    "streamer": "iterate over `stream_generate`",
    "eos_token_id": "call `tokenizer.add_eos_token` before",
    "stop": "leave the loop over `stream_generate`",
    "attention_mask": "a prompt has no padding",
}


_NO_SWITCH = "`stream` is the MLX stream to run on, no switch: `stream_generate` gives the text in parts"


class GenerationKeyword(Rule):
    """A keyword that MLX-LM's generation functions do not take

    ## What it does
    Finds keywords of `generate`, `stream_generate` and `batch_generate` that neither these nor the functions they hand
    them on to take: `temp`, `top_p`, `repetition_penalty`, `max_new_tokens`, `do_sample`, ... They may come from a dict
    or through the `**kwargs` of a function of the same file. Also finds `stream=True`.

    ## PyTorch and MLX
    `transformers` has some hundred generation options. MLX-LM has samplers and logits processors, made by
    `make_sampler` and `make_logits_processors`; early releases took `temp` and `top_p` directly. An unknown keyword
    raises `TypeError` deep inside the generator. `stream` is the MLX stream to run on, not a way to ask for parts.

    ## Example
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", max_tokens=64, temp=0.7)
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load
    from mlx_lm.sample_utils import make_sampler

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", max_tokens=64, sampler=make_sampler(temp=0.7))
    ```

    ## Fix safety
    Safe: `max_new_tokens` becomes `max_tokens`. Unsafe: sampling options that stand beside one another become a
    sampler; where `transformers` was asked not to sample it ignored them. Others are left to you.

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX701"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    calls = frozenset({"generate", "stream_generate", "batch_generate"})
    message = "`{function}` takes no `{keyword}`{advice}"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        if callee not in _PASSED_ON:
            return
        releases = context.target_mlx_lm.decisive or (None,)
        for name, place in _given(node, context):
            refusing = [release for release in releases if _refuses(callee, name, release)]
            if refusing:
                self._report(node, callee, name, place, refusing[-1], context)
            elif name == "stream" and isinstance(place, cst.Arg) and _is_switch(place, context):
                context.report(self, place, template=_NO_SWITCH, repro={"keyword": "stream"})

    def _report(
        self, call: cst.Call, callee: str, name: str, place: cst.CSTNode, release: str | None, context: Context
    ) -> None:
        fix = _with_sampler(call, place, context) if name in _SAMPLING else None
        if name == "max_new_tokens" and isinstance(place, cst.Arg) and place.keyword is not None:
            fix = NodeFix("Rename it to `max_tokens`", [Replace(place.keyword, "max_tokens")])
        later = release != context.target_mlx_lm.newest
        advice = f": {_ADVICE[name]}" if name in _ADVICE else f" in MLX-LM {release}" if later else ""
        known = {"keyword": name} if name in _ADVICE else {}
        context.report(
            self, place, severity=Severity.WARNING if later else None, function=callee.rpartition(".")[2],
            keyword=name, advice=advice, fix=fix, repro=known,
        )  # fmt: skip

    @staticmethod
    def repro(keyword: str = "temp") -> Evidence:
        from mlx_lm import generate
        from mlx_lm.sample_utils import make_sampler

        model, tokenizer = tiny()
        value = keyword in ("stream", "do_sample") or 1
        hazard = raises(lambda: generate(model, tokenizer, "the cat", **{keyword: value}), TypeError, ValueError)
        text = generate(model, tokenizer, "the cat", max_tokens=2, sampler=make_sampler(temp=0.7))
        return Evidence(hazard, shown(isinstance(text, str), f"with a sampler: {text!r}"))


def _with_sampler(call: cst.Call, place: cst.CSTNode, context: Context) -> NodeFix | None:
    """A sampler in place of all sampling options of a call, at the first of them."""
    named = [arg.keyword.value if arg.keyword is not None else "" for arg in call.args]
    at = [index for index, name in enumerate(named) if name in _SAMPLING]
    if not at or call.args[at[0]] is not place or at[-1] - at[0] + 1 != len(at):
        return None
    found = context.importing("mlx_lm.sample_utils.make_sampler")
    first, last = call.args[at[0]], call.args[at[-1]]
    if found is None or {"sampler", "do_sample"} & {*named}:
        return None
    make, imports = found
    options = ", ".join(f"{_SAMPLING[named[index]]}={context.text(call.args[index].value)}" for index in at)
    edits: list[Span | InsertStatement] = [*imports, Span(first, last, f"sampler={make}({options})")]
    return NodeFix("Pass a sampler", edits, Applicability.UNSAFE)


def _is_switch(arg: cst.Arg, context: Context) -> bool:
    return constant(context.value(arg.value), bool) is not None


@cache
def _refuses(callee: str, name: str, release: str | None) -> bool:
    """Whether a release's function, where it has it, and those that it hands keywords on to all lack a parameter."""
    names = [*_PASSED_ON[callee], *(each.replace(".generate.", ".utils.") for each in _PASSED_ON[callee])]
    entries = [entry for entry in (api.lookup(each, release) for each in names) if entry is not None]
    return bool(entries) and not any(p.name == name for e in entries for s in e.signatures for p in s.parameters)


def _given(call: cst.Call, context: Context) -> Iterator[tuple[str, cst.CSTNode]]:
    """The keywords a call is given, and where: in the call, in a dict, or by those who call the function around it."""
    for arg in call.args:
        if arg.keyword is not None:
            yield arg.keyword.value, arg
        elif arg.star == "**":
            value = context.value(arg.value)
            passed = list(_handed_down(arg.value, context))
            yield from passed
            if isinstance(value, Dict) and not passed:
                yield from ((name, arg) for name in value.items)


def _handed_down(given: cst.BaseExpression, context: Context) -> Iterator[tuple[str, cst.Arg]]:
    """What callers in this file give to the ``**kwargs`` of the function around a call."""
    code = context.enclosing_function(given)
    rest = code.node.params.star_kwarg if code is not None else None
    if code is None or rest is None or not isinstance(given, cst.Name) or rest.name.value != given.value:
        return
    own = {parameter.name.value for parameter in code.parameters}
    for call, called in context.module.calls.items():
        if isinstance(called, Function) and called.code is code:
            yield from ((a.keyword.value, a) for a in call.args if a.keyword and a.keyword.value not in own)
