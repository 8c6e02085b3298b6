from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.language_models import is_model
from mlxlint.model.values import Name
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises

from ..api._guards import is_guarded
from ._tiny import tiny

_MEMBERS: Mapping[str, str] = {
    "generate": "call `mlx_lm.generate(model, tokenizer, prompt)`",
    "config": "the arguments are in `model.args`",
    "generation_config": "pass a sampler and `max_tokens` to `mlx_lm.generate`",
    "device": "memory is unified: there is no device to ask for",
    "dtype": "take the dtype of a parameter",
    "save_pretrained": "call `mlx_lm.utils.save_model`",
    "push_to_hub": "call `mlx_lm.utils.upload_to_hub`",
    "from_pretrained": "call `mlx_lm.load`",
    "get_input_embeddings": "take `model.model.embed_tokens`",
    "get_output_embeddings": "take `model.lm_head`",
    "num_parameters": "sum the sizes of `tree_flatten(model.parameters())`",
    "gradient_checkpointing_enable": "call `mlx_lm.tuner.trainer.grad_checkpoint(layer)`",
    "hf_device_map": "memory is unified",
    "prepare_inputs_for_generation": "call the model with `ids` and `cache`",
}
_KEYWORDS: Mapping[str, str] = {
    "input_ids": "give the ids by position",
    "attention_mask": "it is causal by itself",
    "position_ids": "positions follow from the cache",
    "past_key_values": "it is `cache`",
    "use_cache": "pass a `cache` or none",
    "labels": "compute the loss from the logits",
    "return_dict": "it returns the logits",
    "output_hidden_states": "call `model.model` for the last hidden state",
    "output_attentions": "attention weights are not returned",
}


class TransformersModelMember(Rule):
    """A method, attribute or keyword of transformers' models on a model of MLX-LM

    ## What it does
    Finds `model.generate`, `model.config`, `model.device`, `model.save_pretrained`, ... and the keywords `input_ids`,
    `attention_mask`, `labels`, ... where the model comes from `mlx_lm.load`.

    ## PyTorch and MLX
    A model of MLX-LM is an `nn.Module` that takes token ids and a cache and returns the logits. Generating, saving and
    converting are functions beside it. Reading what it does not have raises `AttributeError`, an unknown keyword
    `TypeError`.

    ## Example
    ```python
    from mlx_lm import load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    ids = model.generate(tokenizer.encode("What is MLX?"))
    ```

    ## Use instead
    ```python
    from mlx_lm import generate, load

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    text = generate(model, tokenizer, "What is MLX?")
    ```

    ## References
    - [MLX-LM, Python API](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX704"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"__call__"})
    message = "a model of MLX-LM has no `{name}`: {instead}"
    attributes = frozenset(_MEMBERS)

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        name = node.attr.value
        if name not in _MEMBERS or isinstance(context.parent(node), cst.AssignTarget):
            return
        value = context.value(node)
        if not isinstance(value, Name) or value.receiver is None or not is_model(value.receiver):
            return
        if not is_guarded(node, name, context):
            context.report(self, node, name=name, instead=_MEMBERS[name], repro={"name": name})

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if not is_model(context.called(node)):
            return
        for arg in node.args:
            name = arg.keyword.value if arg.keyword is not None else None
            if name is not None and name in _KEYWORDS:
                context.report(
                    self, arg, template="a model of MLX-LM takes no `{name}`: {instead}", name=name,
                    instead=_KEYWORDS[name], repro={"name": name},
                )  # fmt: skip

    @staticmethod
    def repro(name: str = "generate") -> Evidence:
        import mlx.core as mx

        model, _ = tiny()
        ids = mx.array([[3, 4]])
        keyword = {name: None} if name in _KEYWORDS else {}
        hazard = raises(lambda: model(ids, **keyword) if keyword else getattr(model, name), AttributeError, TypeError)
        return Evidence(hazard, agrees(list(model(ids).shape[:2]), [1, 2]))
