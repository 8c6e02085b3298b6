"""Statements about MLX itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from mlxlint.rule import Observation, Skipped, raises, shown
from mlxlint.verify.surface import Checks, absent, expected, present, standard_error, together

CHECKS = Checks("mlx")


def needs_metal(what: str) -> None:
    import mlx.core as mx

    if not mx.metal.is_available():
        raise Skipped(f"{what} needs Metal")


# Arrays: defaults, creation, conversion


@CHECKS.add("`mx.array(1)` is int32 and `mx.array(1.0)` float32")
def default_dtypes() -> Observation:
    import mlx.core as mx

    literals = (1, 1.0, True, 1j)
    return expected(
        [str(mx.array(x).dtype) for x in literals], [f"mlx.core.{d}" for d in ("int32", "float32", "bool", "complex64")]
    )


@CHECKS.add("`mx.ones_like` and `mx.zeros_like` take `dtype=`")
def like_takes_dtype() -> Observation:
    import mlx.core as mx

    x = mx.array([1, 2])
    try:
        return expected(
            [str(like(x, dtype=mx.float16).dtype) for like in (mx.ones_like, mx.zeros_like)], ["mlx.core.float16"] * 2
        )
    except TypeError as error:
        return Observation(False, f"TypeError: {str(error).partition(':')[0]}")


@CHECKS.add("`mx.full_like` exists")
def full_like_exists() -> Observation:
    import mlx.core as mx

    return present(mx, "full_like")


@CHECKS.add("`mx.bartlett` gives NumPy's window")
def bartlett_as_numpy() -> Observation:
    import mlx.core as mx
    import numpy as np

    error = max(float(np.abs(np.array(mx.bartlett(n)) - np.bartlett(n)).max()) for n in (1, 2, 5, 8))
    return shown(error < 1e-6, f"largest difference for 1, 2, 5, 8 points: {error:.1e}")


@CHECKS.add("`nbytes` is size times the item's bytes")
def nbytes() -> Observation:
    import mlx.core as mx

    return expected(
        [mx.zeros((3, 5), dtype=dtype).nbytes for dtype in (mx.float32, mx.bfloat16, mx.bool_)], [60, 30, 15]
    )


@CHECKS.add("float64 arrays from NumPy become float32")
def numpy_float64_becomes_float32() -> Observation:
    import mlx.core as mx
    import numpy as np

    return expected(str(mx.array(np.ones(2)).dtype), "mlx.core.float32")


@CHECKS.add("bfloat16 reaches NumPy only after a cast")
def bfloat16_needs_a_cast() -> Observation:
    import mlx.core as mx
    import numpy as np

    x = mx.array([1.5], dtype=mx.bfloat16)
    direct = raises(lambda: np.array(x))
    return shown(direct.holds and np.array(x.astype(mx.float32)).tolist() == [1.5], direct.text)


@CHECKS.add("`np.array(x, copy=False)` is a view of MLX memory")
def numpy_view() -> Observation:
    import mlx.core as mx
    import numpy as np

    x = mx.arange(3)
    np.array(x, copy=False)[0] = 9
    return expected(x.tolist(), [9, 1, 2])


@CHECKS.add("`float64` computes on the CPU and raises on a GPU")
def float64_only_on_cpu() -> Observation:
    import mlx.core as mx

    on_cpu = mx.add(mx.array([1.0], dtype=mx.float64), 1, stream=mx.cpu).item() == 2
    if mx.default_device() == mx.cpu:
        return together(computes_on_cpu=on_cpu)
    on_gpu = raises(lambda: mx.array([1.0], dtype=mx.float64) + 1, ValueError, text="float64")
    return shown(on_cpu and on_gpu.holds, f"CPU: {on_cpu}; GPU: {on_gpu.text}")


# Indexing, copies and in-place


@CHECKS.add("negative indices, `None`, `...`, `take` and `take_along_axis` work as in NumPy")
def basic_indexing() -> Observation:
    import mlx.core as mx

    x = mx.arange(6).reshape(2, 3)
    return together(
        negative=x[-1, -1].item() == 5,
        none=x[:, None].shape == (2, 1, 3),
        ellipsis=x[..., 0].tolist() == [0, 3],
        take=mx.take(x, mx.array([2, 0]), axis=1).tolist() == [[2, 0], [5, 3]],
        take_along_axis=mx.take_along_axis(x, mx.array([[1], [2]]), axis=1).tolist() == [[1], [5]],
    )


@CHECKS.add("reading through a boolean mask raises")
def mask_read_raises() -> Observation:
    import mlx.core as mx

    x = mx.arange(6)
    return raises(lambda: x[x > 2], ValueError)


@CHECKS.add("assigning through a boolean mask works")
def mask_assignment_works() -> Observation:
    import mlx.core as mx

    x = mx.arange(4)
    try:
        x[x > 1] = 0
    except Exception as error:
        return Observation(False, f"{type(error).__name__}: {error}")
    return expected(x.tolist(), [0, 1, 0, 0])


@CHECKS.add("a slice as long as the mask's sum is not the masked values")
def slice_is_not_a_mask() -> Observation:
    import mlx.core as mx

    x, mask = mx.arange(4), mx.array([False, True, False, True])
    sliced, masked = (
        x[: mask.sum().item()].tolist(),
        [value for value, wanted in zip(x.tolist(), mask.tolist(), strict=True) if wanted],
    )
    return shown(sliced != masked, f"arange(4)[:mask.sum()] is {sliced}, the masked values are {masked}")


@CHECKS.add("`mx.nonzero`, `mx.argwhere` and one-argument `mx.where` are absent")
def no_nonzero() -> Observation:
    import mlx.core as mx

    names, where = absent(mx, "nonzero", "argwhere"), raises(lambda: mx.where(mx.array([True])), TypeError)
    return shown(names.holds and where.holds, f"{names.text}; where(condition): {where.text.partition(';')[0][:60]}")


@CHECKS.add("float indices raise")
def float_indices_raise() -> Observation:
    import mlx.core as mx

    x = mx.arange(3)
    literal, array = raises(lambda: x[1.0]), raises(lambda: x[mx.array(1.0)])
    return shown(literal.holds and array.holds, f"{literal.text}; array: {array.text}")


@CHECKS.add("`mx.slice` and `mx.slice_update` take computed starts")
def dynamic_slices() -> Observation:
    import mlx.core as mx

    x, start = mx.arange(5), mx.array([1])
    return together(
        slice=mx.slice(x, start, [0], [2]).tolist() == [1, 2],
        slice_update=mx.slice_update(x, mx.array([9, 9]), start, [0]).tolist() == [0, 9, 9, 3, 4],
    )


@CHECKS.add("two names of one array share in-place updates")
def aliases_share_updates() -> Observation:
    import mlx.core as mx

    x = y = mx.arange(3)
    y[0] = 7
    y += 1
    return expected(x.tolist(), [8, 2, 3])


@CHECKS.add("slices and reshapes are copies")
def slices_are_copies() -> Observation:
    import mlx.core as mx

    x = mx.arange(4)
    part, shape = x[:2], x.reshape(2, 2)
    part[0], shape[0, 0] = 9, 9
    return expected(x.tolist(), [0, 1, 2, 3])


@CHECKS.add("writes to a repeated index keep one, `.at[].add` sums all")
def repeated_indices() -> Observation:
    import mlx.core as mx

    index, direct = mx.array([0, 0, 0]), mx.zeros((2,))
    added = direct.at[index].add(1)
    direct[index] += 1
    return expected((direct.tolist(), added.tolist()), ([1, 0], [3, 0]))


@CHECKS.add("`.at[]` has add, subtract, multiply, divide, maximum and minimum")
def at_operations() -> Observation:
    import mlx.core as mx

    x = mx.array([4.0, 4.0])
    results = {
        name: getattr(x.at[0], name)(2).tolist()[0]
        for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")
    }
    return expected(list(results.values()), [6, 2, 8, 2, 4, 2])


@CHECKS.add("booleans assigned into half precision become 1.0 and 0.0")
def bool_into_half() -> Observation:
    import mlx.core as mx

    seen = []
    for dtype in (mx.float16, mx.bfloat16):
        x = mx.full((2,), 5, dtype=dtype)
        x[0], x[1] = True, False
        seen.append(x.tolist())
    return expected(seen, [[1.0, 0.0]] * 2)


@CHECKS.add("out-of-bounds reads do not raise")
def out_of_bounds_read() -> Observation:
    import mlx.core as mx

    error = raises(lambda: mx.arange(3)[7])
    return shown(not error.holds, error.text if error.holds else "x[7] of 3 elements is a number, whichever lies there")


# Autograd and training


@CHECKS.add("arrays have no `backward`, `grad` or `requires_grad`, and there is no `mx.no_grad`")
def no_backward() -> Observation:
    import mlx.core as mx

    array, module = absent(mx.array(1.0), "backward", "grad", "requires_grad"), absent(mx, "no_grad")
    return shown(array.holds and module.holds, f"{array.text}; {module.text}")


@CHECKS.add("`optimizer.step` is a counter and `optimizer.update` updates")
def optimizer_step_is_state() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    layer, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
    before = layer.weight.tolist()
    optimizer.update(layer, {"weight": mx.ones((1, 2)), "bias": mx.ones((1,))})
    return together(
        step_counts=not callable(optimizer.step) and optimizer.step.item() == 1, updates=layer.weight.tolist() != before
    )


@CHECKS.add("`value_and_grad`, `update` and `mx.eval(parameters, state)` train as PyTorch's SGD")
def training_idiom() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    layer, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
    layer.weight, layer.bias = mx.array([[1.0, -1.0]]), mx.array([0.5])
    x, y = mx.array([[1.0, 2.0], [3.0, -1.0]]), mx.array([[1.0], [2.0]])
    step = nn.value_and_grad(layer, lambda model: ((model(x) - y) ** 2).mean())
    for _ in range(3):
        _, gradients = step(layer)
        optimizer.update(layer, gradients)
        mx.eval(layer.parameters(), optimizer.state)
    got, wanted = layer.weight.tolist()[0] + layer.bias.tolist(), [0.4755, -0.1135, 0.5285]
    return shown(
        all(abs(a - b) < 1e-3 for a, b in zip(got, wanted, strict=True)),
        f"weights and bias {[round(v, 4) for v in got]}, PyTorch {wanted}",
    )


@CHECKS.add("frozen parameters are not among `trainable_parameters`")
def freezing() -> Observation:
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model.layers[0].freeze()
    first, second = model.trainable_parameters()["layers"]
    return expected((sorted(first), sorted(second)), ([], ["bias", "weight"]))


@CHECKS.add("`mx.custom_function` takes a gradient of one's own")
def custom_function() -> Observation:
    import mlx.core as mx

    double = mx.custom_function(lambda x: 2 * x)
    double.vjp(lambda primals, cotangents, outputs: cotangents * 10)
    return expected(mx.grad(lambda x: double(x))(mx.array(1.0)).item(), 10)


# Layers


@CHECKS.add("weights are (out, in), (out, k, in) and (out, kh, kw, in)")
def weight_layouts() -> Observation:
    import mlx.nn as nn

    layers = (nn.Linear(3, 8), nn.Conv1d(3, 8, 5), nn.Conv2d(3, 8, (5, 7)))
    return expected([layer.weight.shape for layer in layers], [(8, 3), (8, 5, 3), (8, 5, 7, 3)])


@CHECKS.add("convolutions take NLC, NHWC and NDHWC, and raise on channels-first input")
def channels_last() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    works, rejects = {}, {}
    for rank, layer in enumerate((nn.Conv1d(3, 8, 3), nn.Conv2d(3, 8, 3), nn.Conv3d(3, 8, 3)), 1):
        first, last = mx.zeros((1, 3, *(9,) * rank)), mx.zeros((1, *(9,) * rank, 3))
        works[f"{rank}d"] = layer(last).shape == (1, *(7,) * rank, 8)
        rejects[f"{rank}d_channels_first"] = raises(partial(layer, first)).holds
    return together(**works, **rejects)


@CHECKS.add("grouped convolutions store in/groups channels in their weight")
def grouped_convolution() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Conv2d(4, 8, 3, groups=2)
    return expected((layer.weight.shape, layer(mx.zeros((1, 5, 5, 4))).shape), ((8, 3, 3, 2), (1, 3, 3, 8)))


# Lazy evaluation and compile


@CHECKS.add("printing, `np.array`, `memoryview`, `item` and saving evaluate")
def implicit_evaluation() -> Observation:
    import mlx.core as mx
    import numpy as np

    def evaluates(use: Callable[[Any], object]) -> bool:
        counted: list[int] = []
        x = mx.array([1.0])
        y = x * 2 + 1
        use(y)
        with tempfile.TemporaryFile("w+") as file:
            mx.export_to_dot(file, y)
            file.seek(0)
            counted.append(file.read().count("label"))
        return counted == [0]

    with tempfile.TemporaryDirectory() as folder:
        return together(
            nothing_does_not=not evaluates(lambda y: None),
            print=evaluates(str),
            np_array=evaluates(np.array),
            memoryview=evaluates(memoryview),
            item=evaluates(lambda y: y.item()),
            save=evaluates(lambda y: mx.save(os.path.join(folder, "y.npy"), y)),
        )


@CHECKS.add("parameters take memory when evaluated, not when created")
def lazy_parameters() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    start = mx.get_active_memory()
    layer = nn.Linear(512, 512)
    created = mx.get_active_memory() - start
    mx.eval(layer.parameters())
    evaluated = mx.get_active_memory() - start
    return shown(
        created < 1 << 16 and evaluated >= 1 << 20, f"{created} bytes when created, {evaluated} when evaluated"
    )


@CHECKS.add("time taken before evaluation is that of building the graph")
def dispatch_is_not_work() -> Observation:
    import time

    import mlx.core as mx

    def share_of_building(x: Any) -> float:
        start = time.perf_counter()
        y = x @ x @ x @ x @ x
        built = time.perf_counter() - start
        mx.eval(y)
        return built / (time.perf_counter() - start)

    x = mx.ones((512, 512))
    mx.eval(x @ x)
    share = min(share_of_building(x) for _ in range(3))
    return shown(share < 1 / 3, "building four products takes under a third of the time that evaluating them does")


def traces(inputs: list[tuple[Any, ...]], **options: Any) -> int:
    """How often ``mx.compile`` traces a function called with these arguments."""
    import mlx.core as mx

    count = 0

    def function(*arrays: Any) -> Any:
        nonlocal count
        count += 1
        return sum(x.sum() for x in arrays)

    compiled = mx.compile(function, **options)
    for arguments in inputs:
        compiled(*arguments)
    return count


@CHECKS.add("`mx.compile` traces anew for another dtype, rank, shape or number of arguments")
def compile_retraces() -> Observation:
    import mlx.core as mx

    one = mx.ones((2,))
    return expected(
        {
            "same": traces([(one,), (mx.zeros((2,)),)]),
            "dtype": traces([(one,), (one.astype(mx.int32),)]),
            "rank": traces([(one,), (mx.ones((2, 1)),)]),
            "shape": traces([(one,), (mx.ones((3,)),)]),
            "arity": traces([(one,), (one, one)]),
        },
        {"same": 1, "dtype": 2, "rank": 2, "shape": 2, "arity": 2},
    )


@CHECKS.add("`shapeless=True` does not trace anew for another shape")
def compile_shapeless() -> Observation:
    import mlx.core as mx

    return expected(traces([(mx.ones((n,)),) for n in (2, 3, 5)], shapeless=True), 1)


@CHECKS.add("`mx.disable_compile` turns compilation off")
def compile_disabled() -> Observation:
    import mlx.core as mx

    mx.disable_compile()
    try:
        return expected(traces([(mx.ones((2,)),)] * 3), 3)
    finally:
        mx.enable_compile()


@CHECKS.add("a compiled function needs `outputs=` to change state outside")
def compiled_side_effects() -> Observation:
    import mlx.core as mx

    def state_after_two_calls(captured: bool) -> Any:
        state: list[Any] = [mx.array(0.0)]

        def function(x: Any) -> Any:
            state[0] = x.sum()
            return x

        compiled = mx.compile(function, outputs=state) if captured else mx.compile(function)
        for factor in (1, 3):
            mx.eval(compiled(mx.ones((2,)) * factor))
        return state[0]

    lost = raises(lambda: state_after_two_calls(captured=False))
    kept = state_after_two_calls(captured=True).item()
    return shown(lost.holds and kept == 6, f"without outputs=: {lost.text}; with: {kept}, of 6")


# Fast operations and kernels


@CHECKS.add("`mx.fast` has fused attention, layer and RMS norm and rotary embeddings")
def fast_operations() -> Observation:
    import mlx.core as mx

    names = present(mx.fast, "scaled_dot_product_attention", "rms_norm", "layer_norm", "rope")
    x = mx.ones((1, 2, 4, 8))
    return shown(names.holds and mx.fast.scaled_dot_product_attention(x, x, x, scale=1.0).shape == x.shape, names.text)


@CHECKS.add("`mx.fast.metal_kernel` copies strided input unless `ensure_row_contiguous=False`")
def metal_kernel_strides() -> Observation:
    import mlx.core as mx

    needs_metal("a Metal kernel")
    x = mx.arange(4.0).reshape(2, 2).T

    def first_row(contiguous: bool) -> Any:
        kernel = mx.fast.metal_kernel(
            name=f"copy_{contiguous}", input_names=["a"], output_names=["out"],
            source="uint i = thread_position_in_grid.x; out[i] = a[i];", ensure_row_contiguous=contiguous,
        )  # fmt: skip
        (out,) = kernel(
            inputs=[x], output_shapes=[(4,)], output_dtypes=[mx.float32], grid=(4, 1, 1), threadgroup=(4, 1, 1)
        )
        return out.tolist()

    return expected((first_row(True), first_row(False)), ([0, 2, 1, 3], [0, 1, 2, 3]))


@CHECKS.add("`ensure_row_contiguous` of `mx.fast.metal_kernel` is on by default")
def metal_kernel_default() -> Observation:
    import mlx.core as mx

    return shown(
        "ensure_row_contiguous: bool = True" in (mx.fast.metal_kernel.__doc__ or ""),
        "signature of mx.fast.metal_kernel",
    )


# Random numbers


@CHECKS.add("the same seed or key gives the same numbers, split keys give others")
def random_reproduces() -> Observation:
    import mlx.core as mx

    def seeded(seed: int) -> Any:
        mx.random.seed(seed)
        return mx.random.normal((3,)).tolist()

    key = mx.random.key(0)
    left, right = mx.random.split(key)
    normal = mx.random.normal
    return together(
        seed=seeded(1) == seeded(1) != seeded(2),
        key=normal((3,), key=key).tolist() == normal((3,), key=key).tolist(),
        split=normal((3,), key=left).tolist() != normal((3,), key=right).tolist(),
    )


# Devices, streams and memory


@CHECKS.add("Metal says whether it is available and can capture")
def metal_functions() -> Observation:
    import mlx.core as mx

    functions = present(mx.metal, "is_available", "start_capture", "stop_capture")
    return shown(functions.holds, f"{functions.text}; available: {mx.metal.is_available()}")


@CHECKS.add("a Metal capture needs `MTL_CAPTURE_ENABLED=1`")
def capture_needs_a_variable() -> Observation:
    import mlx.core as mx

    needs_metal("a capture")
    if os.environ.get("MTL_CAPTURE_ENABLED") == "1":
        raise Skipped("MTL_CAPTURE_ENABLED is set")
    with tempfile.TemporaryDirectory() as folder:
        return raises(lambda: mx.metal.start_capture(os.path.join(folder, "trace.gputrace")))


@CHECKS.add("streams can be made, differ from the default, and be given to operations")
def streams() -> Observation:
    import mlx.core as mx

    device = mx.default_device()
    default, new = mx.default_stream(device), mx.new_stream(device)
    with mx.stream(new):
        inside = mx.default_stream(device) == new
    total = mx.add(mx.array(1), mx.array(2), stream=new).item()
    mx.synchronize(new)
    return together(differ=default != new, context=inside, keyword=total == 3)


@CHECKS.add("memory functions are in `mlx.core`")
def memory_functions() -> Observation:
    import mlx.core as mx

    names = ("active_memory", "peak_memory", "cache_memory")
    return present(
        mx,
        *(f"get_{name}" for name in names),
        "reset_peak_memory",
        "clear_cache",
        "set_memory_limit",
        "set_cache_limit",
    )


@CHECKS.add("peak memory follows evaluated arrays")
def peak_memory() -> Observation:
    import mlx.core as mx

    mx.reset_peak_memory()
    start = mx.get_peak_memory()
    x = mx.ones((1 << 20,)) + 1
    lazy = mx.get_peak_memory() - start
    mx.eval(x)
    peak = mx.get_peak_memory() - start
    return shown(lazy < 1 << 20 and peak >= 1 << 22, f"{lazy} bytes before evaluation, {peak} after")


@CHECKS.add("`mx.device_info` tells the recommended working-set size of a Metal GPU")
def device_info() -> Observation:
    import mlx.core as mx

    needs_metal("a working-set size")
    info = mx.device_info() if hasattr(mx, "device_info") else mx.metal.device_info()
    return shown("max_recommended_working_set_size" in info, ", ".join(sorted(info)))


def deprecated_alias(name: str) -> Observation:
    """Whether a memory or device function of ``mx.metal`` works and says that it is deprecated."""
    import mlx.core as mx

    arguments = {"set_memory_limit": (1 << 33,), "set_cache_limit": (1 << 30,), "set_wired_limit": (0,)}.get(name, ())
    if not hasattr(mx.metal, name):
        return Observation(False, f"mx.metal.{name} is absent")
    with standard_error() as text:
        try:
            getattr(mx.metal, name)(*arguments)
        except Exception as error:
            return Observation(False, f"{type(error).__name__}: {error}")
    return shown("deprecated" in text[0], " ".join(text[0].split()) or "works, says nothing")


METAL_ALIASES = (
    "get_active_memory", "get_peak_memory", "get_cache_memory", "reset_peak_memory", "clear_cache", "set_memory_limit",
    "set_cache_limit", "set_wired_limit", "device_info",
)  # fmt: skip


@CHECKS.add("the memory and device functions of `mx.metal` are deprecated")
def metal_aliases() -> Observation:
    seen = {name: deprecated_alias(name) for name in METAL_ALIASES}
    other = [f"{name}: {observation.text}" for name, observation in seen.items() if not observation.holds]
    return shown(not other, "; ".join(other) or f"all {len(seen)} say so: {seen['clear_cache'].text}")
