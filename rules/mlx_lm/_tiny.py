"""A random language model of a few kilobytes, for reproductions."""

from __future__ import annotations

from functools import cache
from typing import Any

WORDS = "<unk> <s> </s> the cat sat on a mat and the dog ran".split()
TEMPLATE = "{{ bos_token }}{% for m in messages %} {{ m['content'] }}{% endfor %}"


@cache
def tiny(head_size: int = 16) -> tuple[Any, Any]:
    """A model with the architecture of Llama and a tokenizer that splits at blanks, as ``mlx_lm.load`` returns them."""
    import mlx.core as mx
    from mlx_lm.models.llama import Model, ModelArgs
    from mlx_lm.tokenizer_utils import TokenizerWrapper
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: n for n, word in enumerate(dict.fromkeys(WORDS))}
    splitter = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    splitter.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    splitter.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=splitter, unk_token="<unk>", bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    mx.random.seed(0)
    arguments = ModelArgs(
        model_type="llama", hidden_size=32, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2,
        num_key_value_heads=1, head_dim=head_size, rms_norm_eps=1e-5, vocab_size=len(vocabulary),
        tie_word_embeddings=False,
    )  # fmt: skip
    return Model(arguments), TokenizerWrapper(tokenizer)
