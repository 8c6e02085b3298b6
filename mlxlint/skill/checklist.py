"""What to go through when a port is made or reviewed: each item with the rules and checks that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """``rules`` and ``checks`` are names, separated by spaces."""

    text: str
    rules: str = ""
    checks: str = ""


CHECKLIST: dict[str, tuple[Item, ...]] = {
    "Indexing and copies": (
        Item(
            "No read through a boolean mask: choose with `mx.where`, or find the positions outside of MLX. A slice as "
            "long as the mask's sum is not the masked values.",
            "boolean-mask-read condition-without-choices float-condition integer-mask-index",
            "mask-read-raises mask-assignment-works slice-is-not-a-mask no-nonzero",
        ),
        Item("Indices are integers.", "unsupported-index", "float-indices-raise basic-indexing"),
        Item(
            "Nothing relies on a slice, reshape or transpose being a view.",
            "write-through-copy chained-assignment stale-after-write discarded-update",
            "slices-are-copies",
        ),
        Item(
            "A second name is the same array: in-place updates reach both.",
            "shared-array-update rebound-loop-variable",
            "aliases-share-updates",
        ),
        Item(
            "Updates at indices that may repeat go through `.at[...]`.",
            "duplicate-index-update missing-update-method",
            "repeated-indices at-operations",
        ),
        Item(
            "Indices are in range by construction; nothing waits for an `IndexError`.",
            "unchecked-index ignored-labels-as-indices",
            "out-of-bounds-read",
        ),
    ),
    "Autograd and training": (
        Item(
            "`nn.value_and_grad` in place of `backward()`; the loss comes first and is an array.",
            "autograd-on-array gradient-context value-and-grad-arguments loss-not-first gradient-of-other-argument",
            "no-backward training-idiom",
        ),
        Item(
            "`optimizer.update(model, gradients)` in place of `step()` and `zero_grad()`.",
            "torch-training-step update-without-module optimizer-given-parameters gradients-overwritten "
            "clipped-gradients-dropped",
            "optimizer-step-is-state",
        ),
        Item(
            "Each step evaluates the parameters and the optimizer's state, and the loss where it is kept.",
            "training-loop-never-evaluated optimizer-state-left-lazy loss-graph-kept loop-graph-kept "
            "evaluation-of-nothing",
            "training-idiom",
        ),
        Item(
            "`freeze()` and `trainable_parameters()` in place of `requires_grad`; what must not be trained is not a "
            "public array.",
            "requires-grad-on-module frozen-parameters-trained statistics-unfrozen constant-becomes-parameter "
            "integer-parameter lora-without-freeze",
            "freezing",
        ),
        Item("`model.eval()` switches the mode, `mx.eval` computes.", "evaluation-as-mode mode-switched-after-compile"),
    ),
    "Layers and layouts": (
        Item(
            "`__call__` computes; layers stand in lists under public names.",
            "forward-method missing-super-init modules-in-tuple submodule-under-underscore sequential-given-list",
        ),
        Item(
            "Activations are channels-last throughout, not only the weights: axes of reductions, concatenations, "
            "broadcasts and flattening too.",
            "conv-channels-first pooling-channels-first channels-first-axes channels-first-concatenate "
            "channels-first-broadcast channels-first-shape flatten-before-linear spatial-axes-swapped",
            "channels-last",
        ),
        Item(
            "Weights of convolutions are turned by layer, not by rank; those of grouped and transposed ones have other "
            "shapes.",
            "conv-weight-from-torch turned-by-rank turned-on-every-load",
            "weight-layouts grouped-convolution",
        ),
        Item(
            "Batch normalisation and channel dropout take the channels last, too.",
            "pooling-channels-first batchnorm-five-axes groupnorm-grouping",
        ),
        Item(
            "Defaults and losses are PyTorch's only where that was looked up.",
            "differing-default loss-not-reduced probabilities-as-logits gelu-fast-approximation "
            "positional-argument-order rope-half-rotation attention-mask-polarity ones-as-mask",
        ),
    ),
    "Array semantics": (
        Item(
            "Names, methods and keywords are MLX's.",
            "unknown-name torch-name tensor-method torch-keyword unknown-keyword surplus-argument in-place-method",
            "full-like-exists like-takes-dtype",
        ),
        Item(
            "Dtypes: literals, half precision, integers that wrap, no double precision on a GPU.",
            "integer-overflow half-precision-mask half-precision-sum double-precision-lost unsigned-wraparound",
            "default-dtypes bool-into-half float64-only-on-cpu numpy-float64-becomes-float32",
        ),
        Item(
            "Random numbers: keys are split, MLX's generator is seeded, no equality with PyTorch's numbers.",
            "random-key-reuse other-generators-seed seeds-across-libraries",
            "random-reproduces",
        ),
    ),
    "Lazy evaluation, compilation and timing": (
        Item(
            "Benchmarks evaluate what they time, after a warm-up; memory is read after evaluation.",
            "clock-stopped-early memory-read-early",
            "dispatch-is-not-work peak-memory",
        ),
        Item(
            "The first call of a compiled function traces; so does each new dtype, rank, shape, number of arguments "
            "and Python number.",
            "compiled-in-loop compiled-number-argument",
            "compile-retraces compile-disabled",
        ),
        Item(
            "`shapeless=True` only where shapes vary and the function does not read them.",
            "shapeless-on-shape",
            "compile-shapeless",
        ),
        Item(
            "Compiled functions capture the state that they change: model, optimizer, `mx.random.state`.",
            "compiled-without-state compiled-without-random-state compiled-result-stored python-state-in-compiled",
            "compiled-side-effects",
        ),
        Item(
            "Nothing looks at an array inside of a compiled function, and as little as possible in a loop.",
            "evaluation-under-transform",
            "implicit-evaluation",
        ),
    ),
    "Kernels and fast paths": (
        Item("`mx.fast` before a kernel of one's own.", checks="fast-operations"),
        Item(
            "A Metal kernel states whether its inputs are to be row-contiguous: the default copies what is not.",
            checks="metal-kernel-default metal-kernel-strides",
        ),
        Item(
            "A custom gradient gives one for each argument.",
            "custom-gradient-incomplete custom-gradient-signature",
            "custom-function",
        ),
        Item(
            "A capture in place of a guess: `MTL_CAPTURE_ENABLED=1`.",
            checks="capture-needs-a-variable metal-functions",
        ),
    ),
    "Weights and other libraries": (
        Item(
            "Weights load strictly, from a format that MLX reads, under the names that the model has.",
            "torch-file-loaded nonstrict-load torch-names-loaded nested-parameters-saved update-with-flat-names "
            "load-weights-argument",
        ),
        Item(
            "bfloat16 is cast before it goes to NumPy; views of MLX memory do not outlive it.",
            "numpy-reads-bfloat16 memory-view-of-array mlx-given-foreign-array torch-given-mlx-array",
            "bfloat16-needs-a-cast numpy-view",
        ),
    ),
    "MLX-LM": (
        Item(
            "Strings or token ids: `generate` and `stream_generate` take either, `batch_generate` lists of ids only.",
            "batch-prompt-not-ids prompt-of-other-kind response-as-text generation-keyword start-token-twice",
            "lm-exports lm-stream-generate-parameters lm-batch-generate-parameters lm-generation-response",
        ),
        Item(
            "Prompt caches: layers may have different kinds, a copy may share, trimming may fail, and a cache serves "
            "one continuation.",
            "prompt-cache-shared cached-prompt-repeated caches-of-one-kind shallow-cache-copy trimming-unchecked",
            "lm-caches lm-prompt-cache-round-trip lm-max-kv-size lm-attention-mask",
        ),
        Item(
            "Quantised weights of other tools are converted by MLX-LM's loader, not by hand.",
            "quantization-parameters",
            "lm-awq-layout lm-legacy-quantization lm-prefill-and-quantized-cache",
        ),
        Item(
            "Checks on a live model stay small: lazy load, a short prompt, a few tokens "
            "(`mlxlint probe --model PATH`).",
            checks="lm-load-parameters",
        ),
    ),
}
