from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import constant
from mlxlint.rule import Applicability, Evidence, Fixable, Insert, Kind, NodeFix, Rule, Severity, shown

from ._generation import BATCHED, EVERY, STEP
from ._tiny import tiny


class QuantizedCacheStart(Rule):
    """`kv_bits` is given, and the cache of a short text is not quantised

    ## What it does
    Finds `kv_bits` without `quantized_kv_start` for `generate`, `stream_generate` and `generate_step`, where MLX-LM
    has another default for it than 0.

    ## PyTorch and MLX
    The quantised cache of `transformers` is one from the first token on. In MLX-LM quantisation begins when the cache
    holds `quantized_kv_start` tokens. The default was 0 and has been 5000 since MLX-LM 0.32: up to there the cache
    takes the memory it always took.

    ## Example
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", kv_bits=8)
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?", kv_bits=8, quantized_kv_start=0)
    ```

    ## Fix safety
    Unsafe: quantisation from the first token on costs some accuracy.

    ## References
    - [MLX-LM, generate.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/generate.py)
    """

    code = "MLX724"
    kind = Kind.COST
    severity = Severity.INFO
    fixable = Fixable.ALWAYS
    calls = frozenset(name.rpartition(".")[2] for name in EVERY - {BATCHED})
    message = "the cache is quantised from 5000 tokens on: pass `quantized_kv_start=0` to begin at once"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        callee = context.callee(node)
        bits = context.argument(node, None, "kv_bits") if callee in EVERY else None
        if bits is None or constant(context.value(bits), int) is None or context.arguments(node).starred:
            return
        if context.argument(node, None, "quantized_kv_start") is None and _default(context) != "0":
            fix = NodeFix(
                "Begin at once", [Insert(node.args[-1], ", quantized_kv_start=0", after=True)], Applicability.UNSAFE
            )
            context.report(self, bits, fix=fix, repro={"bits": constant(context.value(bits), int)})

    @staticmethod
    def repro(bits: int = 8) -> Evidence:
        from mlx_lm import generate
        from mlx_lm.models.cache import KVCache

        model, tokenizer = tiny(head_size=64)

        def cache(**options: int) -> str:
            made = [KVCache() for _ in model.layers]
            generate(model, tokenizer, [3, 4, 5], max_tokens=3, prompt_cache=made, kv_bits=bits, **options)
            return type(made[0]).__name__

        late, at_once = cache(), cache(quantized_kv_start=0)
        return Evidence(
            shown(late == "KVCache", f"after 6 tokens with kv_bits={bits}: {late}"),
            shown(at_once != "KVCache", f"with quantized_kv_start=0: {at_once}"),
        )


def _default(context: Context) -> str | None:
    """The default of `quantized_kv_start` in the newest release linted for, as written there."""
    entry = api.lookup(STEP, context.target_mlx_lm.newest)
    parameters = (parameter for signature in (entry.signatures if entry else ()) for parameter in signature.parameters)
    return next((p.default for p in parameters if p.name == "quantized_kv_start"), "0")
