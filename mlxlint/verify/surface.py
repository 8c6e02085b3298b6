"""What MLX and MLX-LM promise beside the rules: small statements about their surface, each run by ``mlxlint probe``.

A statement that has stopped to hold is kept: the recorded evidence says until which release it held.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlxlint.rule import Observation, Skipped, raises, shown


@dataclass(frozen=True)
class Check:
    """A statement and the function that observes whether it holds; ``package`` is the one that it is about."""

    name: str
    statement: str
    run: Callable[..., Observation]
    package: str


CHECKS: dict[str, Check] = {}
Function = Callable[..., Observation]


def check(statement: str, package: str = "mlx", registry: dict[str, Check] = CHECKS) -> Callable[[Function], Function]:
    """Register a function as the check of a statement, under its own name. A name that it misses refutes it."""

    def register(run: Function) -> Function:
        @functools.wraps(run)
        def observe(**parameters: Any) -> Observation:
            try:
                return run(**parameters)
            except AttributeError as error:
                return Observation(False, str(error))

        name = run.__name__.replace("_", "-")
        registry[name] = Check(name, statement, observe, package)
        return observe

    return register


def together(**parts: object) -> Observation:
    """Holds when all named parts do; says which do not, or names them all."""
    failed = [name for name, value in parts.items() if not value]
    return Observation(not failed, f"not so: {', '.join(failed)}" if failed else f"all so: {', '.join(parts)}")


def expected(got: object, wanted: object) -> Observation:
    return Observation(got == wanted, f"{got}" if got == wanted else f"{got}, stated {wanted}")


def present(owner: object, *names: str) -> Observation:
    missing = [name for name in names if not hasattr(owner, name)]
    return Observation(not missing, f"missing: {', '.join(missing)}" if missing else f"there: {', '.join(names)}")


def absent(owner: object, *names: str) -> Observation:
    there = [name for name in names if hasattr(owner, name)]
    return Observation(not there, f"there: {', '.join(there)}" if there else f"absent: {', '.join(names)}")


@contextlib.contextmanager
def standard_error() -> Iterator[list[str]]:
    """Collects what is written to file descriptor 2, where MLX's C++ code puts deprecations."""
    text: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield text
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text.append(file.read().decode(errors="replace"))


def needs_gpu(kernel: str) -> None:
    import mlx.core as mx

    if not mx.metal.is_available():
        raise Skipped(f"{kernel} needs Metal")


# Arrays: defaults, creation, conversion


@check("`mx.array(1)` is int32 and `mx.array(1.0)` float32")
def default_dtypes() -> Observation:
    import mlx.core as mx

    literals = (1, 1.0, True, 1j)
    return expected([str(mx.array(x).dtype) for x in literals], [f"mlx.core.{d}" for d in ("int32", "float32", "bool", "complex64")])


@check("`mx.ones_like` and `mx.zeros_like` take `dtype=`")
def like_takes_dtype() -> Observation:
    import mlx.core as mx

    x = mx.array([1, 2])
    try:
        return expected([str(like(x, dtype=mx.float16).dtype) for like in (mx.ones_like, mx.zeros_like)], ["mlx.core.float16"] * 2)
    except TypeError as error:
        return Observation(False, f"TypeError: {str(error).partition(':')[0]}")


@check("`mx.full_like` exists")
def full_like_exists() -> Observation:
    import mlx.core as mx

    return present(mx, "full_like")


@check("`mx.bartlett` gives NumPy's window")
def bartlett_as_numpy() -> Observation:
    import mlx.core as mx
    import numpy as np

    error = max(float(np.abs(np.array(mx.bartlett(n)) - np.bartlett(n)).max()) for n in (1, 2, 5, 8))
    return shown(error < 1e-6, f"largest difference for 1, 2, 5, 8 points: {error:.1e}")


@check("`nbytes` is size times the item's bytes")
def nbytes() -> Observation:
    import mlx.core as mx

    return expected([mx.zeros((3, 5), dtype=dtype).nbytes for dtype in (mx.float32, mx.bfloat16, mx.bool_)], [60, 30, 15])


@check("float64 arrays from NumPy become float32")
def numpy_float64_becomes_float32() -> Observation:
    import mlx.core as mx
    import numpy as np

    return expected(str(mx.array(np.ones(2)).dtype), "mlx.core.float32")


@check("bfloat16 reaches NumPy only after a cast")
def bfloat16_needs_a_cast() -> Observation:
    import mlx.core as mx
    import numpy as np

    x = mx.array([1.5], dtype=mx.bfloat16)
    direct = raises(lambda: np.array(x))
    return shown(direct.holds and np.array(x.astype(mx.float32)).tolist() == [1.5], direct.text)


@check("`np.array(x, copy=False)` is a view of MLX memory")
def numpy_view() -> Observation:
    import mlx.core as mx
    import numpy as np

    x = mx.arange(3)
    np.array(x, copy=False)[0] = 9
    return expected(x.tolist(), [9, 1, 2])


@check("`float64` computes on the CPU and raises on a GPU")
def float64_only_on_cpu() -> Observation:
    import mlx.core as mx

    on_cpu = mx.add(mx.array([1.0], dtype=mx.float64), 1, stream=mx.cpu).item() == 2
    if mx.default_device() == mx.cpu:
        return together(computes_on_cpu=on_cpu)
    on_gpu = raises(lambda: mx.array([1.0], dtype=mx.float64) + 1, ValueError, text="float64")
    return shown(on_cpu and on_gpu.holds, f"CPU: {on_cpu}; GPU: {on_gpu.text}")


# Indexing, copies and in-place


@check("negative indices, `None`, `...`, `take` and `take_along_axis` work as in NumPy")
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


@check("reading through a boolean mask raises")
def mask_read_raises() -> Observation:
    import mlx.core as mx

    x = mx.arange(6)
    return raises(lambda: x[x > 2], ValueError)


@check("assigning through a boolean mask works")
def mask_assignment_works() -> Observation:
    import mlx.core as mx

    x = mx.arange(4)
    try:
        x[x > 1] = 0
    except Exception as error:
        return Observation(False, f"{type(error).__name__}: {error}")
    return expected(x.tolist(), [0, 1, 0, 0])


@check("a slice as long as the mask's sum is not the masked values")
def slice_is_not_a_mask() -> Observation:
    import mlx.core as mx

    x, mask = mx.arange(4), mx.array([False, True, False, True])
    sliced, masked = x[: mask.sum().item()].tolist(), [value for value, wanted in zip(x.tolist(), mask.tolist()) if wanted]
    return shown(sliced != masked, f"arange(4)[:mask.sum()] is {sliced}, the masked values are {masked}")


@check("`mx.nonzero`, `mx.argwhere` and one-argument `mx.where` are absent")
def no_nonzero() -> Observation:
    import mlx.core as mx

    names, where = absent(mx, "nonzero", "argwhere"), raises(lambda: mx.where(mx.array([True])), TypeError)
    return shown(names.holds and where.holds, f"{names.text}; where(condition): {where.text.partition(';')[0][:60]}")


@check("float indices raise")
def float_indices_raise() -> Observation:
    import mlx.core as mx

    x = mx.arange(3)
    literal, array = raises(lambda: x[1.0]), raises(lambda: x[mx.array(1.0)])  # type: ignore[index]
    return shown(literal.holds and array.holds, f"{literal.text}; array: {array.text}")


@check("`mx.slice` and `mx.slice_update` take computed starts")
def dynamic_slices() -> Observation:
    import mlx.core as mx

    x, start = mx.arange(5), mx.array([1])
    return together(
        slice=mx.slice(x, start, [0], [2]).tolist() == [1, 2],
        slice_update=mx.slice_update(x, mx.array([9, 9]), start, [0]).tolist() == [0, 9, 9, 3, 4],
    )


@check("two names of one array share in-place updates")
def aliases_share_updates() -> Observation:
    import mlx.core as mx

    x = y = mx.arange(3)
    y[0] = 7
    y += 1
    return expected(x.tolist(), [8, 2, 3])


@check("slices and reshapes are copies")
def slices_are_copies() -> Observation:
    import mlx.core as mx

    x = mx.arange(4)
    part, shape = x[:2], x.reshape(2, 2)
    part[0], shape[0, 0] = 9, 9
    return expected(x.tolist(), [0, 1, 2, 3])


@check("writes to a repeated index keep one, `.at[].add` sums all")
def repeated_indices() -> Observation:
    import mlx.core as mx

    index, direct = mx.array([0, 0, 0]), mx.zeros((2,))
    added = direct.at[index].add(1)
    direct[index] += 1
    return expected((direct.tolist(), added.tolist()), ([1, 0], [3, 0]))


@check("`.at[]` has add, subtract, multiply, divide, maximum and minimum")
def at_operations() -> Observation:
    import mlx.core as mx

    x = mx.array([4.0, 4.0])
    results = {name: getattr(x.at[0], name)(2).tolist()[0] for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum")}
    return expected(list(results.values()), [6, 2, 8, 2, 4, 2])


@check("booleans assigned into half precision become 1.0 and 0.0")
def bool_into_half() -> Observation:
    import mlx.core as mx

    seen = []
    for dtype in (mx.float16, mx.bfloat16):
        x = mx.full((2,), 5, dtype=dtype)
        x[0], x[1] = True, False
        seen.append(x.tolist())
    return expected(seen, [[1.0, 0.0]] * 2)


@check("out-of-bounds reads do not raise")
def out_of_bounds_read() -> Observation:
    import mlx.core as mx

    error = raises(lambda: mx.arange(3)[7])
    return shown(not error.holds, error.text if error.holds else "x[7] of 3 elements is a number, whichever lies there")


# Autograd and training


@check("arrays have no `backward`, `grad` or `requires_grad`, and there is no `mx.no_grad`")
def no_backward() -> Observation:
    import mlx.core as mx

    array, module = absent(mx.array(1.0), "backward", "grad", "requires_grad"), absent(mx, "no_grad")
    return shown(array.holds and module.holds, f"{array.text}; {module.text}")


@check("`optimizer.step` is a counter and `optimizer.update` updates")
def optimizer_step_is_state() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    layer, optimizer = nn.Linear(2, 1), optim.SGD(0.1)
    before = layer.weight.tolist()
    optimizer.update(layer, {"weight": mx.ones((1, 2)), "bias": mx.ones((1,))})
    return together(step_counts=not callable(optimizer.step) and optimizer.step.item() == 1, updates=layer.weight.tolist() != before)


@check("`value_and_grad`, `update` and `mx.eval(parameters, state)` train as PyTorch's SGD")
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
    return shown(all(abs(a - b) < 1e-3 for a, b in zip(got, wanted)), f"weights and bias {[round(v, 4) for v in got]}, PyTorch {wanted}")


@check("frozen parameters are not among `trainable_parameters`")
def freezing() -> Observation:
    import mlx.nn as nn

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model.layers[0].freeze()
    first, second = model.trainable_parameters()["layers"]
    return expected((sorted(first), sorted(second)), ([], ["bias", "weight"]))


@check("`mx.custom_function` takes a gradient of one's own")
def custom_function() -> Observation:
    import mlx.core as mx

    @mx.custom_function
    def double(x: Any) -> Any:
        return 2 * x

    @double.vjp
    def double_vjp(primals: Any, cotangents: Any, outputs: Any) -> Any:
        return cotangents * 10

    return expected(mx.grad(lambda x: double(x))(mx.array(1.0)).item(), 10)


# Layers


@check("weights are (out, in), (out, k, in) and (out, kh, kw, in)")
def weight_layouts() -> Observation:
    import mlx.nn as nn

    layers = (nn.Linear(3, 8), nn.Conv1d(3, 8, 5), nn.Conv2d(3, 8, (5, 7)))
    return expected([layer.weight.shape for layer in layers], [(8, 3), (8, 5, 3), (8, 5, 7, 3)])


@check("convolutions take NLC, NHWC and NDHWC, and raise on channels-first input")
def channels_last() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    works, rejects = {}, {}
    for rank, layer in enumerate((nn.Conv1d(3, 8, 3), nn.Conv2d(3, 8, 3), nn.Conv3d(3, 8, 3)), 1):
        works[f"{rank}d"] = layer(mx.zeros((1, *(9,) * rank, 3))).shape == (1, *(7,) * rank, 8)
        rejects[f"{rank}d_channels_first"] = raises(lambda layer=layer, rank=rank: layer(mx.zeros((1, 3, *(9,) * rank)))).holds  # type: ignore[misc]
    return together(**works, **rejects)


@check("grouped convolutions store in/groups channels in their weight")
def grouped_convolution() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    layer = nn.Conv2d(4, 8, 3, groups=2)
    return expected((layer.weight.shape, layer(mx.zeros((1, 5, 5, 4))).shape), ((8, 3, 3, 2), (1, 3, 3, 8)))


# Lazy evaluation and compile


@check("printing, `np.array`, `memoryview`, `item` and saving evaluate")
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


@check("parameters take memory when evaluated, not when created")
def lazy_parameters() -> Observation:
    import mlx.core as mx
    import mlx.nn as nn

    start = mx.get_active_memory()
    layer = nn.Linear(512, 512)
    created = mx.get_active_memory() - start
    mx.eval(layer.parameters())
    evaluated = mx.get_active_memory() - start
    return shown(created < 1 << 16 and evaluated >= 1 << 20, f"{created} bytes when created, {evaluated} when evaluated")


@check("time taken before evaluation is that of building the graph")
def dispatch_is_not_work() -> Observation:
    import time

    import mlx.core as mx

    x = mx.ones((512, 512))
    mx.eval(x @ x)
    start = time.perf_counter()
    y = x
    for _ in range(8):
        y = y @ x
    built = time.perf_counter() - start
    mx.eval(y)
    return shown(built < (time.perf_counter() - start) / 3, "building eight products took under a third of evaluating them")


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


@check("`mx.compile` traces anew for another dtype, rank, shape or number of arguments")
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


@check("`shapeless=True` does not trace anew for another shape")
def compile_shapeless() -> Observation:
    import mlx.core as mx

    return expected(traces([(mx.ones((n,)),) for n in (2, 3, 5)], shapeless=True), 1)


@check("`mx.disable_compile` turns compilation off")
def compile_disabled() -> Observation:
    import mlx.core as mx

    mx.disable_compile()
    try:
        return expected(traces([(mx.ones((2,)),)] * 3), 3)
    finally:
        mx.enable_compile()


@check("a compiled function needs `outputs=` to change state outside")
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


@check("`mx.fast` has fused attention, layer and RMS norm and rotary embeddings")
def fast_operations() -> Observation:
    import mlx.core as mx

    names = present(mx.fast, "scaled_dot_product_attention", "rms_norm", "layer_norm", "rope")
    x = mx.ones((1, 2, 4, 8))
    return shown(names.holds and mx.fast.scaled_dot_product_attention(x, x, x, scale=1.0).shape == x.shape, names.text)


@check("`mx.fast.metal_kernel` copies strided input unless `ensure_row_contiguous=False`")
def metal_kernel_strides() -> Observation:
    import mlx.core as mx

    needs_gpu("a Metal kernel")
    x = mx.arange(4.0).reshape(2, 2).T

    def first_row(contiguous: bool) -> Any:
        kernel = mx.fast.metal_kernel(
            name=f"copy_{contiguous}", input_names=["a"], output_names=["out"],
            source="uint i = thread_position_in_grid.x; out[i] = a[i];", ensure_row_contiguous=contiguous,
        )  # fmt: skip
        (out,) = kernel(inputs=[x], output_shapes=[(4,)], output_dtypes=[mx.float32], grid=(4, 1, 1), threadgroup=(4, 1, 1))
        return out.tolist()

    return expected((first_row(True), first_row(False)), ([0, 2, 1, 3], [0, 1, 2, 3]))


@check("`ensure_row_contiguous` of `mx.fast.metal_kernel` is on by default")
def metal_kernel_default() -> Observation:
    import mlx.core as mx

    return shown("ensure_row_contiguous: bool = True" in (mx.fast.metal_kernel.__doc__ or ""), "signature of mx.fast.metal_kernel")


# Random numbers


@check("the same seed or key gives the same numbers, split keys give others")
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


@check("Metal says whether it is available and can capture")
def metal_functions() -> Observation:
    import mlx.core as mx

    functions = present(mx.metal, "is_available", "start_capture", "stop_capture")
    return shown(functions.holds, f"{functions.text}; available: {mx.metal.is_available()}")


@check("a Metal capture needs `MTL_CAPTURE_ENABLED=1`")
def capture_needs_a_variable() -> Observation:
    import mlx.core as mx

    needs_gpu("a capture")
    if os.environ.get("MTL_CAPTURE_ENABLED") == "1":
        raise Skipped("MTL_CAPTURE_ENABLED is set")
    with tempfile.TemporaryDirectory() as folder:
        return raises(lambda: mx.metal.start_capture(os.path.join(folder, "trace.gputrace")))


@check("streams can be made, differ from the default, and be given to operations")
def streams() -> Observation:
    import mlx.core as mx

    device = mx.default_device()
    default, new = mx.default_stream(device), mx.new_stream(device)
    with mx.stream(new):
        inside = mx.default_stream(device) == new
    total = mx.add(mx.array(1), mx.array(2), stream=new).item()
    mx.synchronize(new)
    return together(differ=default != new, context=inside, keyword=total == 3)


@check("memory functions are in `mlx.core`")
def memory_functions() -> Observation:
    import mlx.core as mx

    names = ("active_memory", "peak_memory", "cache_memory")
    return present(mx, *(f"get_{name}" for name in names), "reset_peak_memory", "clear_cache", "set_memory_limit", "set_cache_limit")


@check("peak memory follows evaluated arrays")
def peak_memory() -> Observation:
    import mlx.core as mx

    mx.reset_peak_memory()
    start = mx.get_peak_memory()
    x = mx.ones((1 << 20,)) + 1
    lazy = mx.get_peak_memory() - start
    mx.eval(x)
    peak = mx.get_peak_memory() - start
    return shown(lazy < 1 << 20 and peak >= 1 << 22, f"{lazy} bytes before evaluation, {peak} after")


@check("`mx.device_info` tells the recommended working-set size of a Metal GPU")
def device_info() -> Observation:
    import mlx.core as mx

    info = mx.device_info() if hasattr(mx, "device_info") else mx.metal.device_info()
    if not mx.metal.is_available():
        raise Skipped(f"no Metal here; device_info has {', '.join(sorted(info)) or 'nothing'}")
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


@check("the memory and device functions of `mx.metal` are deprecated")
def metal_aliases() -> Observation:
    seen = {name: deprecated_alias(name) for name in METAL_ALIASES}
    other = [f"{name}: {observation.text}" for name, observation in seen.items() if not observation.holds]
    return shown(not other, "; ".join(other) or f"all {len(seen)} say so: {seen['clear_cache'].text}")


# MLX-LM


def mlx_lm_module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise Skipped(f"{error.name} is not installed") from None


def parameters_of(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters)


@check("`mlx_lm` exports load, generate, stream_generate, batch_generate and convert", "mlx-lm")
def lm_exports() -> Observation:
    return present(mlx_lm_module("mlx_lm"), "load", "generate", "stream_generate", "batch_generate", "convert")


@check("`load` has `lazy` and `revision`", "mlx-lm")
def lm_load_parameters() -> Observation:
    missing = {"lazy", "revision"} - parameters_of(mlx_lm_module("mlx_lm").load)
    return shown(not missing, f"missing: {', '.join(sorted(missing))}" if missing else "lazy, revision")


@check("`stream_generate` has prompt, max_tokens and draft_model; sampling goes through `sampler=`", "mlx-lm")
def lm_stream_generate_parameters() -> Observation:
    mlx_lm_module("mlx_lm")
    generate = mlx_lm_module("mlx_lm.generate")
    missing = {"model", "tokenizer", "prompt", "max_tokens", "draft_model"} - parameters_of(generate.stream_generate)
    step = parameters_of(generate.generate_step)
    wanted = {"sampler", "logits_processors", "max_kv_size", "prompt_cache"}
    return shown(not missing and wanted <= step and "temp" not in step, f"generate_step has {', '.join(sorted(step))}")


@check("`batch_generate` has prompts and max_tokens", "mlx-lm")
def lm_batch_generate_parameters() -> Observation:
    found = parameters_of(mlx_lm_module("mlx_lm").batch_generate)
    return shown({"prompts", "max_tokens"} <= found, ", ".join(sorted(found)))


@check("`GenerationResponse` has text, token, logprobs, speeds, peak memory and the finish reason", "mlx-lm")
def lm_generation_response() -> Observation:
    generate = mlx_lm_module("mlx_lm.generate")
    fields = set(generate.GenerationResponse.__dataclass_fields__)
    wanted = {"text", "token", "logprobs", "prompt_tokens", "prompt_tps", "generation_tokens", "generation_tps", "peak_memory", "finish_reason"}
    return shown(wanted <= fields, f"fields: {', '.join(sorted(fields))}")


@check("prefill is chunked and the key-value cache can be quantized while generating", "mlx-lm")
def lm_prefill_and_quantized_cache() -> Observation:
    step = parameters_of(mlx_lm_module("mlx_lm.generate").generate_step)
    missing = {"prefill_step_size", "kv_bits", "kv_group_size", "quantized_kv_start"} - step
    return shown(not missing, f"missing: {', '.join(sorted(missing))}" if missing else "prefill_step_size, kv_bits, kv_group_size")


def awq_packed() -> dict[str, Any]:
    """An AutoAWQ layer of 8 outputs and 64 inputs: weights 5 of 0..15, zero point 3, scale 2."""
    import mlx.core as mx

    def packed(rows: int, nibble: int) -> Any:
        return mx.full((rows, 1), int(f"{nibble:x}" * 8, 16), dtype=mx.uint32)

    return {"l.qweight": packed(64, 5), "l.qzeros": packed(1, 3), "l.scales": mx.full((1, 8), 2.0, dtype=mx.float16)}


@check("AutoAWQ and GPTQ weights in AutoAWQ's packing become MLX's quantized layout", "mlx-lm")
def lm_awq_layout() -> Observation:
    import mlx.core as mx

    utils = mlx_lm_module("mlx_lm.utils")
    weights, settings = utils._transform_awq_weights(awq_packed(), {"bits": 4, "group_size": 64})
    value = mx.dequantize(weights["l.weight"], weights["l.scales"], weights["l.biases"], settings["group_size"], settings["bits"])
    shapes = {name: weights[f"l.{name}"].shape for name in ("weight", "scales", "biases")}
    right = value.shape == (8, 64) and bool((value == (5 - 3) * 2).all().item())
    return shown(right and shapes["weight"] == (8, 8), f"{shapes}, dequantized to {value[0, 0].item()}")


@check("MLX-LM reads a `quantization_config` of AutoAWQ, GPTQ and other methods", "mlx-lm")
def lm_legacy_quantization() -> Observation:
    source = inspect.getsource(mlx_lm_module("mlx_lm.utils").load_model)
    found = [method for method in ("quantization_config", "awq", "gptq", "bitnet", "mxfp4", "compressed-tensors") if method in source]
    return shown({"quantization_config", "awq", "gptq"} <= set(found), f"load_model handles {', '.join(found)}")


@check("`create_attention_mask` returns \"causal\", None or an array", "mlx-lm")
def lm_attention_mask() -> Observation:
    import mlx.core as mx

    mask = mlx_lm_module("mlx_lm.models.base").create_attention_mask
    many, one = mx.zeros((1, 4, 8)), mx.zeros((1, 1, 8))
    return together(
        causal=isinstance(mask(many), str) and mask(many) == "causal",
        none=mask(one) is None,
        array=isinstance(mask(many, return_array=True), mx.array),
    )


CACHES = {"KVCache": (), "RotatingKVCache": (8,), "QuantizedKVCache": (64, 8), "ConcatenateKVCache": (), "ArraysCache": (2,)}
CACHE_SURFACE: dict[str, tuple[str, ...]] = {name: ("state", "is_trimmable") for name in CACHES} | {
    name: ("update_and_fetch", "state", "is_trimmable", "trim", "make_mask") for name in ("KVCache", "RotatingKVCache", "QuantizedKVCache")
}


@check("KVCache, RotatingKVCache, QuantizedKVCache, ConcatenateKVCache and ArraysCache have their surfaces", "mlx-lm")
def lm_caches() -> Observation:
    cache = mlx_lm_module("mlx_lm.models.cache")
    missing = []
    for name, arguments in CACHES.items():
        if not hasattr(cache, name):
            missing.append(name)
            continue
        instance = getattr(cache, name)(*arguments)
        missing += [f"{name}.{part}" for part in CACHE_SURFACE[name] if not hasattr(type(instance), part)]
    return shown(not missing, f"missing: {', '.join(missing)}" if missing else ", ".join(CACHES))


def tiny_llama() -> Any:
    """A Llama of 2 small layers with random weights."""
    llama = mlx_lm_module("mlx_lm.models.llama")
    return llama.Model(
        llama.ModelArgs(
            model_type="llama", hidden_size=32, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2,
            num_key_value_heads=1, rms_norm_eps=1e-5, vocab_size=64, head_dim=16,
        )
    )  # fmt: skip


@check("`max_kv_size` falls back to RotatingKVCache for models without a cache of their own", "mlx-lm")
def lm_max_kv_size() -> Observation:
    make = mlx_lm_module("mlx_lm.models.cache").make_prompt_cache
    model = tiny_llama()
    if hasattr(model, "make_cache"):
        model = type("Plain", (), {"layers": model.layers})()
    kinds = [type(make(model, **options)[0]).__name__ for options in ({}, {"max_kv_size": 8})]
    return expected(kinds, ["KVCache", "RotatingKVCache"])


@check("prompt caches of mixed types round-trip through safetensors", "mlx-lm")
def lm_prompt_cache_round_trip() -> Observation:
    import mlx.core as mx

    cache = mlx_lm_module("mlx_lm.models.cache")
    made = [cache.KVCache(), cache.RotatingKVCache(8)]
    if hasattr(cache, "ArraysCache"):
        made.append(cache.ArraysCache(2))
        made[-1][0], made[-1][1] = mx.ones((1, 3)), mx.ones((1, 2))
    for part in made[:2]:
        part.update_and_fetch(mx.ones((1, 1, 4, 16)), mx.ones((1, 1, 4, 16)))
    return round_trip(made)


def round_trip(made: list[Any]) -> Observation:
    """Whether a prompt cache is the same after having been saved and loaded."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    def arrays(parts: list[Any]) -> list[Any]:
        return [value for part in parts for _, value in tree_flatten(part.state) if isinstance(value, mx.array)]

    cache = mlx_lm_module("mlx_lm.models.cache")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cache.safetensors")
        cache.save_prompt_cache(path, made)
        loaded = cache.load_prompt_cache(path)
        before, after = arrays(made), arrays(loaded)
        mx.eval(before, after)
    kinds = [type(part).__name__ for part in loaded]
    same = len(before) == len(after) and all(mx.array_equal(a, b).item() for a, b in zip(before, after))
    right = same and kinds == [type(part).__name__ for part in made]
    return shown(right, f"{len(kinds)} caches: {', '.join(sorted(set(kinds)))}; {len(after)} arrays")
