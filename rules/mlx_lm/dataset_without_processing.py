from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Dict, Scalar, Sequence, Value, members, string
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ..kernels._flow import last_bound

_TRAIN = "mlx_lm.tuner.train", "mlx_lm.tuner.trainer.train"


class DatasetWithoutProcessing(Rule):
    """Texts, records or bare token ids are given to MLX-LM's trainer

    ## What it does
    Finds lists of strings, dicts or flat lists of token ids as the datasets of `mlx_lm.tuner.train`.

    ## PyTorch and MLX
    The trainer of `transformers` has a collator that turns records into batches. `train` of MLX-LM takes examples
    that are processed: pairs of token ids and the number of tokens of the prompt, as a `CacheDataset` gives them.
    With texts and records it raises in the first batch; of token ids alone, a list of two is taken for a pair.

    ## Example
    ```python
    import mlx.optimizers as optim
    from mlx_lm import load
    from mlx_lm.tuner import train

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    train(model, optim.Lion(1e-5), [{"text": "the cat sat"}, {"text": "the dog ran"}])
    ```

    ## Use instead
    ```python
    import mlx.optimizers as optim
    from mlx_lm import load
    from mlx_lm.tuner import train
    from mlx_lm.tuner.datasets import CacheDataset, TextDataset

    model, tokenizer = load("mlx-community/Qwen3-0.6B-4bit")
    texts = [{"text": "the cat sat"}, {"text": "the dog ran"}]
    train(model, optim.Lion(1e-5), CacheDataset(TextDataset(texts, tokenizer)))
    ```

    ## References
    - [MLX-LM, datasets.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/tuner/datasets.py)
    """

    code = "MLX727"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"train"})
    message = "an example is a pair of token ids and the prompt's length, and these are {what}: use `CacheDataset`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) not in _TRAIN:
            return
        for index, name in ((2, "train_dataset"), (3, "val_dataset")):
            given = context.argument(node, index, name)
            what = None if given is None else _unprocessed(context.value(given)) or _encoded(given, context)
            if given is not None and what is not None:
                context.report(self, given, because=[given], what=what)

    @staticmethod
    def repro() -> Evidence:
        from mlx_lm.tuner.trainer import iterate_batches

        def first_batch(examples: list[object]) -> object:
            return next(iterate_batches(examples, batch_size=1, max_seq_length=64))

        hazard = raises(lambda: first_batch([{"text": "the cat sat"}]), KeyError, TypeError)
        batch = first_batch([([3, 4, 5], 0)])
        return Evidence(hazard, shown(isinstance(batch, tuple), "pairs of ids and a length make a batch"))


def _unprocessed(dataset: Value) -> str | None:
    if not isinstance(dataset, Sequence) or dataset.kind not in ("list", "tuple") or dataset.items == ():
        return None
    example = dataset.joined()
    if string(example):
        return "strings"
    if all(isinstance(member, Dict) for member in members(example)):
        return "dicts"
    if isinstance(example, Sequence) and example.kind == "list" and _is_integer(example.joined()):
        return "bare token ids"
    return None


def _is_integer(value: Value) -> bool:
    return isinstance(value, Scalar) and value.type == "int"


def _encoded(node: cst.BaseExpression, context: Context) -> str | None:
    """What a list of encoded texts holds: `[tokenizer.encode(text) for text in texts]`."""
    made = last_bound(node, context) if isinstance(node, cst.Name) else node
    element = made.elt if isinstance(made, cst.ListComp) else None
    method = element.func if isinstance(element, cst.Call) else None
    return "bare token ids" if isinstance(method, cst.Attribute) and method.attr.value == "encode" else None
