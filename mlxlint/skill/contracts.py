"""Which statements MLX and MLX-LM make themselves, and where; what is not here was observed, and may change.

Each was read on the page named. ``SIGNATURES`` are those that follow from the names and parameters that the packages
publish in their type stubs and sources.
"""

from __future__ import annotations

MLX = "https://ml-explore.github.io/mlx/build/html/"
MLX_LM = "https://github.com/ml-explore/mlx-lm"

PAGES: dict[str, str] = {
    "usage/indexing.html": """
        basic-indexing mask-read-raises mask-assignment-works no-nonzero aliases-share-updates slices-are-copies
        repeated-indices
        boolean-mask-read condition-without-choices duplicate-index-update shared-array-update unchecked-index
        write-through-copy
    """,
    "usage/lazy_evaluation.html": """
        implicit-evaluation lazy-parameters dispatch-is-not-work
        clock-stopped-early loop-graph-kept training-loop-never-evaluated
    """,
    "usage/compile.html": """
        compile-retraces compile-shapeless compile-disabled compiled-side-effects
        compiled-in-loop compiled-without-random-state compiled-without-state evaluation-under-transform
        python-state-in-compiled shapeless-on-shape
    """,
    "usage/numpy.html": """
        bfloat16-needs-a-cast numpy-float64-becomes-float32 numpy-view
        memory-view-of-array numpy-reads-bfloat16
    """,
    "usage/using_streams.html": "streams",
    "python/data_types.html": "default-dtypes float64-only-on-cpu",
    "python/nn.html": """
        freezing
        constant-becomes-parameter modules-in-tuple parameters-iterated submodule-under-underscore
    """,
    "python/optimizers.html": "training-idiom optimizer-state-left-lazy",
    "python/nn/layers.html": "channels-last conv-channels-first",
    "python/random.html": "random-reproduces",
    "python/fast.html": "fast-operations",
    "python/memory_management.html": "memory-functions",
    "python/metal.html": "metal-functions",
    "dev/custom_metal_kernels.html": "metal-kernel-default metal-kernel-strides",
    "dev/metal_debugger.html": "capture-needs-a-variable",
}

README = "lm-max-kv-size"

SIGNATURES = """
    at-operations dynamic-slices full-like-exists like-takes-dtype metal-aliases no-backward
    lm-batch-generate-parameters lm-exports lm-generation-response lm-load-parameters lm-prefill-and-quantized-cache
    lm-stream-generate-parameters
    autograd-on-array deprecated-metal-function generation-keyword gradient-context in-place-method missing-argument
    missing-update-method surplus-argument tensor-method torch-keyword torch-module-method torch-name
    unknown-array-attribute unknown-keyword unknown-name
"""


def contracts() -> dict[str, str]:
    """Name of a rule or check -> what states it, as Markdown."""
    found = {name: f"[Documented]({MLX}{page})" for page, names in PAGES.items() for name in names.split()}
    found |= dict.fromkeys(README.split(), f"[Documented]({MLX_LM})")
    return found | dict.fromkeys(SIGNATURES.split(), "Published signature")
