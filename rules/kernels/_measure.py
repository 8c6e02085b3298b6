"""What a fast path gains, for reproductions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mlxlint.rule import Evidence, Observation, shown

Computation = Callable[..., Any]
_MARGIN = 1.25


def accuracy_gain(by_hand: Computation, fast: Computation, *arrays: Any) -> Evidence:
    """How far two ways to compute the same in half precision are off the result in float32, and how long they take.

    On the CPU MLX runs its fast functions as the same operations, in float32: the gain there is the accuracy. On a GPU
    they are one kernel each, and faster.
    """
    import mlx.core as mx

    exact = by_hand(*(array.astype(mx.float32) for array in arrays))

    def error(computed: Any) -> float:
        return float(mx.abs(computed.astype(mx.float32) - exact).max().item())

    slow, quick = error(by_hand(*arrays)), error(fast(*arrays))
    times = f"{seconds(by_hand, *arrays) * 1e3:.2f} and {seconds(fast, *arrays) * 1e3:.2f} ms on {mx.default_device()}"
    return Evidence(
        shown(
            slow > _MARGIN * quick, f"{arrays[0].dtype} by hand off by {slow:.1e}, the function by {quick:.1e}; {times}"
        ),
        agree(fast(*(array.astype(mx.float32) for array in arrays)), exact),
    )


def agree(fast: Any, exact: Any, tolerance: float = 5e-3) -> Observation:
    import mlx.core as mx

    distance = float(mx.abs(fast - exact).max().item())
    return shown(distance < tolerance, f"in float32 the two agree to {distance:.1e}")


def seconds(computation: Computation, *arrays: Any, repetitions: int = 7) -> float:
    """The shortest time that a computation takes."""
    import mlx.core as mx

    mx.eval(arrays, computation(*arrays))
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        mx.eval(computation(*arrays))
        times.append(time.perf_counter() - start)
    return min(times)


def peak_bytes(computation: Computation, *arrays: Any) -> int:
    """The most memory that a computation takes beyond its arguments."""
    import mlx.core as mx

    mx.eval(arrays)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    mx.eval(computation(*arrays))
    return int(mx.get_peak_memory() - before)
